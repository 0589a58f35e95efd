// What all nodes have told of themselves lately, and what they have together.

const GONE_AFTER = 3500; // ms without a sample

export class Samples {
  constructor() {
    this.nodes = new Map(); // name -> {at, sample, before, seconds}
  }

  add(sample) {
    const at = performance.now();
    const known = this.nodes.get(sample.node);
    this.nodes.set(sample.node, {
      at,
      sample,
      before: known?.sample,
      seconds: known ? sample.uptime - known.sample.uptime : 0,
    });
  }

  forgetGone() {
    const now = performance.now();
    for (const [name, node] of this.nodes) if (now - node.at > GONE_AFTER) this.nodes.delete(name);
  }

  // Counts and rates of one application, or of all where appId is null.
  totals(appId) {
    const total = { connections: 0, subscriptions: 0, users: 0, events: 0, received: 0, sent: 0, requests: 0, memory: 0, refusals: 0 };
    for (const { sample, before, seconds } of this.nodes.values()) {
      total.memory += sample.memory;
      total.refusals += sample.refusals;
      if (before && seconds > 0) total.requests += (sample.requests - before.requests) / seconds;
      for (const [id, counts] of Object.entries(sample.apps)) {
        if (appId !== null && id !== appId) continue;
        total.connections += counts.connections;
        total.subscriptions += counts.subscriptions;
        total.users += counts.users;
        const old = before?.apps[id];
        if (!old || seconds <= 0) continue;
        const rate = (...names) => names.reduce((sum, name) => sum + counts[name] - old[name], 0) / seconds;
        total.events += rate("http_events", "client_events");
        total.received += rate("received");
        total.sent += rate("sent");
      }
    }
    return total;
  }
}
