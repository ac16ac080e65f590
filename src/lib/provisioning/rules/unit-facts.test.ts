import { expect, it } from 'vitest';
import { readUnitFacts } from './unit-facts.ts';

/** As systemd 252 prints it while a service with `ExecStartPre=` starts. */
const STARTING = [
  'NRestarts=0',
  'TimeoutStartUSec=1min 30s',
  'ExecMainStatus=0',
  'Result=success',
  'InvocationID=0f1e2d3c4b5a69788796a5b4c3d2e1f0',
  'LoadState=loaded',
  'ActiveState=activating',
  'SubState=start-pre',
  'StateChangeTimestampMonotonic=86440120000',
  'InactiveExitTimestampMonotonic=86440000000',
  'Uptime=86480.12',
];
const without = (name: string): string => STARTING.filter((line) => !line.startsWith(`${name}=`)).join('\n');
const withLine = (line: string): string => `${without(line.split('=')[0] ?? '')}\n${line}`;

it('reads what systemd says of a unit that starts, and for how long it has', () => {
  const facts = readUnitFacts(STARTING.join('\n'));
  expect({ ...facts, stateAgeMs: Math.round(facts.stateAgeMs ?? -1) }).toEqual({
    loadState: 'loaded',
    subState: 'start-pre',
    result: 'success',
    invocationId: '0f1e2d3c4b5a69788796a5b4c3d2e1f0',
    startTimeoutMs: 90_000,
    stateAgeMs: 40_000,
    notInactiveMs: 40_120,
  });
});

it.each([
  ['infinity', Infinity],
  ['0', Infinity],
  ['0s', Infinity],
  ['5min', 300_000],
  ['1h 2min 3s', 3_723_000],
  ['1.500s', 1_500],
  ['500ms', 500],
  ['250us', 0.25],
  ['1month 1w 1d', 2_629_800_000 + 8 * 86_400_000],
  ['', null],
  ['90', null],
  ['soon', null],
  ['1min soon', null],
  ['1  s', null],
])('reads a timeout of "%s"', (text, expected) => {
  expect(readUnitFacts(withLine(`TimeoutStartUSec=${text}`)).startTimeoutMs).toBe(expected);
});

it.each([
  ['no uptime', without('Uptime')],
  ['a state that never changed', withLine('StateChangeTimestampMonotonic=0')],
  ['the uptime of a container', withLine('Uptime=120.00')],
  ['a state that is older than the start', withLine('StateChangeTimestampMonotonic=86430000000')],
  ['words', withLine('Uptime=long')],
])('knows no age from %s', (_, text) => {
  expect(readUnitFacts(text)).toMatchObject({ stateAgeMs: null, notInactiveMs: null, startTimeoutMs: 90_000 });
});
