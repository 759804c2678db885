// node run_wasm.js MODULE: runs a WebAssembly module and writes what it puts.
'use strict';
const fs = require('fs');

const put = (at, count) => {
  const bytes = new Uint8Array(instance.exports.memory.buffer, at, count);
  for (let done = 0; done < count;) done += fs.writeSync(1, bytes, done);
};
const module_ = new WebAssembly.Module(fs.readFileSync(process.argv[2]));
const instance = new WebAssembly.Instance(module_, {env: {put}});
process.exitCode = instance.exports.run();
