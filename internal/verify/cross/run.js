// Runs a program for js/wasm that imports the package runtime alone and never waits for a timer. It
// takes the place of wasm_exec.js, which copies of Go 1.13 to 1.23 from the module proxy lack. The
// functions and the layout of their arguments are those of each release's misc/wasm/wasm_exec.js.
"use strict";

const fs = require("fs");

let mem; // of the program; a growth of it makes a new buffer
const view = () => new DataView(mem.buffer);
const int64 = (at) => Number(view().getBigInt64(at, true));

const nanotime = (sp) => view().setBigInt64(sp + 8, process.hrtime.bigint(), true);
const walltime = (sp) => {
	const ms = Date.now();
	view().setBigInt64(sp + 8, BigInt(Math.floor(ms / 1000)), true);
	view().setInt32(sp + 16, (ms % 1000) * 1000000, true);
};

const functions = {
	"runtime.wasmExit": (sp) => process.exit(view().getInt32(sp + 8, true)),
	"runtime.wasmWrite": (sp) => fs.writeSync(int64(sp + 8),
		new Uint8Array(mem.buffer, int64(sp + 16), view().getInt32(sp + 24, true))),
	"runtime.nanotime": nanotime, // Go 1.13
	"runtime.nanotime1": nanotime,
	"runtime.walltime": walltime,
	"runtime.walltime1": walltime, // Go 1.14 to 1.16
	"runtime.getRandomData": (sp) => require("crypto").randomFillSync(
		new Uint8Array(mem.buffer, int64(sp + 8), int64(sp + 16))),
	"runtime.resetMemoryDataView": () => {}, // view makes a new one each time
};

const program = new WebAssembly.Module(fs.readFileSync(process.argv[2]));
const imports = {}; // by module: go, and gojs since Go 1.21
for (const { module, name } of WebAssembly.Module.imports(program)) {
	imports[module] ||= {};
	imports[module][name] = functions[name] || (() => { throw new Error(name + " is not provided"); });
}
const instance = new WebAssembly.Instance(program, imports);
mem = instance.exports.mem;
instance.exports.run(0, 4096); // no arguments, no environment: below 12288 is nothing (cmd/link/internal/ld)
