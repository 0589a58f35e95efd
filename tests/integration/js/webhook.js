"use strict";
// What a back end does with webhooks: the official Node SDK checks and reads them, line by line.
// Argument: {"app_id", "key", "secret", "host", "port"}.

const { createBackEnd } = require("./back_end.js");
const { obey } = require("./line_protocol.js");

const sdk = createBackEnd(JSON.parse(process.argv[2]));

obey({
  async read(request) {
    // The names of headers come in lower case, as Node's own server gives them.
    const webhook = sdk.webhook({ headers: request.headers, rawBody: request.body });
    if (!webhook.isValid()) return { valid: false };
    return { valid: true, time: webhook.getTime().getTime(), events: webhook.getEvents() };
  },
});
