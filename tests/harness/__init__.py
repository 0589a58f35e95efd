"""What tests look at Fizz with: plain sockets, official clients, a browser.

Everything here sees the server from outside and shares no code with it, so that a mistake in
``fizz_gevent`` cannot hide behind the same mistake in its test.
"""
