"""What happens: rules that change state, then call ports."""
