#!/usr/bin/env node
// Plain JavaScript that an older Node can read, too: finds the Node that the project brings if this one will not do, has
// the command line built if need be, and runs it.
import module from 'node:module';
import { fileURLToPath } from 'node:url';

const HANDED_OVER = 'WARDROUND_HANDED_OVER';
const OWN_NODE = fileURLToPath(new URL('../node_modules/.bin/node', import.meta.url));

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
// From here on Node takes types away by itself, which the build needs; 23 came in between, for half a year.
if (major > 23 || (major === 22 && minor >= 18)) await run();
else if (await mayHandOver()) await handOver();
else {
  console.error(
    `wardround needs Node.js 22.18 or newer; this is ${process.version} (${process.execPath}). Run "npm ci" in the project folder: it brings one.`,
  );
  process.exitCode = 1;
}

async function run() {
  delete process.env[HANDED_OVER];
  const { ensureBuilt, PROJECT_DIR } = await import('../scripts/built.js');
  const { commands } = await ensureBuilt('commands');
  // Not in the default place, which all users share.
  module.enableCompileCache(`${commands}/cache`);
  const { main } = module.createRequire(import.meta.url)(`${commands}/main.cjs`);
  await main(PROJECT_DIR);
}

/** At most once, whatever the other Node turns out to be, and never to this one under another name. */
async function mayHandOver() {
  if (process.env[HANDED_OVER] !== undefined) return false;
  const { realpathSync } = await import('node:fs');
  try {
    return realpathSync(OWN_NODE) !== realpathSync(process.execPath);
  } catch {
    return false;
  }
}

async function handOver() {
  const { spawn } = await import('node:child_process');
  const { default: events } = await import('node:events');
  const { constants } = await import('node:os');
  const env = { ...process.env, [HANDED_OVER]: '1' };
  const child = spawn(OWN_NODE, process.argv.slice(1), { stdio: 'inherit', env });
  // Ctrl-C reaches both; a SIGTERM comes to this process alone.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  const [code, signal] = await events.once(child, 'exit');
  process.exitCode = code ?? 128 + constants.signals[/** @type {NodeJS.Signals} */ (signal)];
}
