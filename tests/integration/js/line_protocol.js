"use strict";
// One JSON value per line each way: commands come in as ["name", ...arguments], what happens goes
// out, and each command's end too: {"done": name, "answer": ...} or {"done": name, "failed": ...}.

const readline = require("node:readline");

function say(value) {
  process.stdout.write(JSON.stringify(value) + "\n");
}

async function carryOut(commands, [name, ...rest]) {
  try {
    const answer = await commands[name](...rest);
    say({ done: name, answer: answer === undefined ? null : answer });
  } catch (error) {
    say({ done: name, failed: String(error.message), status: error.status, body: error.body });
  }
}

/** Carry out commands one after the other; end the process where the input ends. */
function obey(commands) {
  let last = Promise.resolve();
  const lines = readline.createInterface({ input: process.stdin });
  lines.on("line", (line) => {
    last = last.then(() => carryOut(commands, JSON.parse(line)));
  });
  lines.on("close", () => last.then(() => process.exit(0)));
}

module.exports = { obey, say };
