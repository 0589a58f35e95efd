// A small client of the Pusher protocol: the page is told what happens over Fizz's own WebSocket.

const MAX_PAUSE = 10000;

export class Socket {
  // setup(): a promise of {key, prefix}; authorize(socketId, channel): a promise of the signature.
  constructor({ setup, authorize, onState }) {
    this.setup = setup;
    this.authorize = authorize;
    this.onState = onState;
    this.handlers = new Map(); // channel -> function(event, data)
    this.socketId = null;
    this.pause = 500;
    this.lastHeard = 0;
    setInterval(() => this.watch(), 5000);
    this.connect();
  }

  async connect() {
    this.onState("connecting");
    let about;
    try {
      about = await this.setup();
    } catch {
      this.later();
      return;
    }
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(
      `${scheme}://${location.host}${about.prefix}/app/${about.key}?protocol=7&client=console&version=1`,
    );
    this.socket = socket;
    socket.onmessage = (message) => this.received(JSON.parse(message.data));
    socket.onclose = () => {
      if (this.socket === socket) this.later();
    };
  }

  later() {
    this.socket = null;
    this.socketId = null;
    this.onState("disconnected");
    setTimeout(() => this.connect(), this.pause * (0.75 + Math.random() / 2));
    this.pause = Math.min(MAX_PAUSE, this.pause * 2);
  }

  watch() {
    if (!this.socketId) return;
    const silence = Date.now() - this.lastHeard;
    if (silence > 45000) this.socket.close();
    else if (silence > 20000) this.send("pusher:ping", {});
  }

  send(event, data) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ event, data }));
  }

  received({ event, channel, data }) {
    this.lastHeard = Date.now();
    const value = typeof data === "string" && data ? JSON.parse(data) : data;
    if (event === "pusher:connection_established") {
      this.socketId = value.socket_id;
      this.pause = 500;
      for (const name of this.handlers.keys()) this.ask(name);
      this.onState("connected");
    } else if (event === "pusher:ping") {
      this.send("pusher:pong", {});
    } else if (channel && !event.startsWith("pusher")) {
      this.handlers.get(channel)?.(event, value);
    }
  }

  async ask(channel) {
    const socketId = this.socketId;
    try {
      const auth = await this.authorize(socketId, channel);
      if (this.socketId === socketId && this.handlers.has(channel)) {
        this.send("pusher:subscribe", { channel, auth });
      }
    } catch {
      this.socket?.close(); // and everything is tried again
    }
  }

  subscribe(channel, handler) {
    this.handlers.set(channel, handler);
    if (this.socketId) this.ask(channel);
  }

  unsubscribe(channel) {
    if (this.handlers.delete(channel)) this.send("pusher:unsubscribe", { channel });
  }
}
