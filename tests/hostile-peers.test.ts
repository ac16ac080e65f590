import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serveBus } from './support/bus-peer.ts';
import { hostileBuses } from './support/hostile-buses.ts';
import { hostile, startHostilePeer } from './support/hostile-peers.ts';
import type { StretchOrders, StretchReport } from './support/loop-stretch.ts';
import { answer, newKey, sshPeer, type Peer } from './support/peers.ts';

/**
 * What is promised is that the event loop never stands still longer than this because of what a peer sends. Measured is
 * the processor time of the client's thread between two turns of its loop, in a process that does nothing else: unlike the
 * clock on the wall, it does not run on while a busy machine lets other processes go first.
 */
const LONGEST_MS = 50;
/** None of them gets that far: each is cut off for what it does. */
const TIMEOUT_MS = 20_000;

const login = newKey();
const hostKey = newKey();
let healthy: Peer;
beforeAll(async () => {
  let state = 'failed';
  healthy = await sshPeer({
    hostKeys: [hostKey.privateKey],
    onExec: (exec) => {
      if (exec.command === 'systemd-stdio-bridge') {
        serveBus(exec);
        return;
      }
      const isLook = exec.command.includes('is-active');
      answer(exec, { exitCode: isLook && state !== 'active' ? 3 : 0, stdout: isLook ? `${state}\n` : '' });
      if (exec.command.includes('restart')) state = 'active';
      else if (isLook && state === 'active') state = 'failed';
    },
  });
});
afterAll(() => healthy.close());

async function measure(ports: readonly number[], overBus = false): Promise<StretchReport> {
  const script = fileURLToPath(new URL('support/loop-stretch.ts', import.meta.url));
  const child = spawn(process.execPath, [script], {
    stdio: ['pipe', 'pipe', 'inherit'],
    timeout: 50_000,
    killSignal: 'SIGKILL',
  });
  const orders: StretchOrders = {
    privateKey: login.privateKey,
    healthyPort: healthy.port,
    ports,
    timeoutMs: TIMEOUT_MS,
    overBus,
  };
  child.stdin.end(JSON.stringify(orders));
  return JSON.parse(await text(child.stdout)) as StretchReport;
}

/** How the looks at them end; where nothing stands, in any failure. */
const ENDS: Partial<Record<keyof typeof hostile, RegExp>> = {
  'sends a huge prime to test': /^protocol: .*no matching key exchange/,
  'offers nothing but the largest groups': /^protocol: .*no matching key exchange/,
  'sends compressed nothing without end': /^protocol: .*no matching .* compression/,
  'shows a host key of 30 KiB': /^protocol: .*larger than any/,
  'exchanges keys without end': /^protocol: .*again and again/,
  'asks for signatures without end': /^protocol: .*one signature after the other/,
  // Which of the two comes first depends on the machine.
  'sends small packets without end': /^protocol: .*(?:more than 16384 KiB|busy without end)/,
  'asks for answers without end': /^protocol: .*one answer after the other/,
  'asks for answers on its channel without end': /^protocol: .*one answer after the other/,
  'says ": Unit " to everything': /^state$/,
  'says "sudo: " to everything': /^sudo_refused$/,
  'says line feeds to everything': /^state$/,
  'says blanks to everything': /^odd_answer$/,
  'says beginnings of escape sequences to everything': /^state$/,
  'says equal signs to everything': /^state$/,
  'says letters of three bytes to everything': /^odd_answer$/,
};

describe('the event loop goes on while a peer', () => {
  it.for(Object.entries(hostile))('%s', async ([name, manners], { onTestFinished }) => {
    const peer = await startHostilePeer(manners, hostKey.privateKey);
    onTestFinished(peer.close);
    const report = await measure([peer.port]);
    console.log(name, JSON.stringify(report));
    expect(report.looks[0]?.found).toMatch(ENDS[name as keyof typeof hostile] ?? /^[a-z_]+: /);
    expect(report.longestMs).toBeLessThan(LONGEST_MS);
  });

  it('does all of that at once, twenty times each of the worst', async ({ onTestFinished }) => {
    const worst = [
      'sends small packets without end',
      'asks for answers without end',
      'exchanges keys without end',
    ] as const;
    const ports: number[] = [];
    for (let index = 0; index < 60; index += 1) {
      const peer = await startHostilePeer(hostile[worst[index % worst.length] ?? worst[0]], hostKey.privateKey);
      onTestFinished(peer.close);
      ports.push(peer.port);
    }
    const report = await measure(ports);
    console.log(JSON.stringify({ ...report, looks: report.looks.length }));
    expect(report.longestMs).toBeLessThan(LONGEST_MS);
  });
});

describe('the event loop goes on while a bus', () => {
  it.for(Object.entries(hostileBuses))('%s', async ([name, { onBus, ends }], { onTestFinished }) => {
    const peer = await sshPeer({ hostKeys: [hostKey.privateKey], onExec: (exec) => serveBus(exec, onBus) });
    onTestFinished(peer.close);
    const report = await measure([peer.port], true);
    console.log(name, JSON.stringify(report));
    expect(report.looks[0]?.found).toMatch(ends);
    expect(report.longestMs).toBeLessThan(LONGEST_MS);
  });
});
