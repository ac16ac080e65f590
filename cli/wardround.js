#!/usr/bin/env node
// Plain JavaScript, so that an old Node can still read it: it finds the project's own Node, or says what is missing.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import module from 'node:module';
import { fileURLToPath } from 'node:url';

const OLDEST_NODE = 22;

if (Number(process.versions.node.split('.')[0]) > OLDEST_NODE) {
  // Compiling what it imports takes a third of a short command's time. Not in the default place, which all users share.
  module.enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/node', import.meta.url)));
  await import('./main.ts');
} else {
  const ownNode = fileURLToPath(new URL('../node_modules/.bin/node', import.meta.url));
  if (existsSync(ownNode) && process.execPath !== ownNode) {
    const { status, signal } = spawnSync(ownNode, process.argv.slice(1), { stdio: 'inherit' });
    process.exitCode = status ?? (signal === 'SIGINT' ? 130 : 1);
  } else {
    console.error(
      `wardround needs Node.js newer than ${OLDEST_NODE}; this is ${process.version}. Run "npm ci" in the project folder: it brings one.`,
    );
    process.exitCode = 1;
  }
}
