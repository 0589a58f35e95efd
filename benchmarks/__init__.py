"""How fast a Pusher server is: ``bin/bench``. Only the standard library, and nothing of Fizz."""
