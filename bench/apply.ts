// `npm run bench -- apply`: what `wardround apply` and `export` of 5,000 VPSs take, the whole call, on a file that makes
// them, on the same file again, and on one in which a tenth differs.
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ensureBuilt, PROJECT_DIR } from '../scripts/built.js';
import { makeLogin } from '../tests/support/fleet.ts';
import { scratchEnvironment } from '../tests/support/project.ts';
import { median, report } from './report.ts';

const SIZE = 5_000;
const ROUNDS = 5;
const MOST_OUTPUT = 64 * 1024 * 1024;

process.chdir(PROJECT_DIR);
await ensureBuilt('commands');
const scratch = scratchEnvironment();
makeLogin(scratch.folder);
const file = join(scratch.folder, 'fleet.yaml');

const vpsOf = (index: number, user: string): string => `  - customer: customer-${index}@example.test
    name: Customer ${index}
    host: 10.${index >> 16}.${(index >> 8) & 255}.${index & 255}
    user: ${user}
    labels: [provider=hetzner, region=${['fsn1', 'hel1', 'nbg1'][index % 3]}, rack=r${index % 40}]
    maintenance:
      - { weekly: sun 02:00, for: 2h, time_zone: Europe/Oslo }
`;
const fleetWith = (userOf: (index: number) => string): string =>
  `version: 1\ndefaults:\n  key: login.key\nvps:\n${Array.from({ length: SIZE }, (_, index) => vpsOf(index, userOf(index))).join('')}`;

/** Seconds of one call, which must succeed and say this. */
async function timed(says: string, ...args: string[]): Promise<number> {
  const beganMs = performance.now();
  const options = { env: scratch.environment, maxBuffer: MOST_OUTPUT };
  const { stdout } = await promisify(execFile)(process.execPath, ['cli/wardround.js', ...args], options);
  const seconds = (performance.now() - beganMs) / 1_000;
  if (!stdout.includes(says)) throw new Error(stdout.slice(-500));
  return seconds;
}

writeFileSync(
  file,
  fleetWith(() => 'deploy'),
);
const made = await timed('Done.', 'apply', file, '--yes');
const unchanged: number[] = [];
for (let round = 0; round < ROUNDS; round++) unchanged.push(await timed('nothing to change', 'apply', file, '--yes'));
const json: number[] = [];
for (let round = 0; round < ROUNDS; round++) json.push(await timed('"vps"', 'export', '--json'));
writeFileSync(
  file,
  fleetWith((index) => (index % 10 === 0 ? 'admin' : 'deploy')),
);
const changed = await timed(`${SIZE / 10} to change.`, 'apply', file, '--yes');
report('apply', `${SIZE} VPSs in YAML, the whole call, medians of ${ROUNDS}`, [
  { what: 'apply of an unchanged file', value: median(unchanged), unit: 's', bar: { atMost: 3 } },
  { what: 'apply of a file in which 500 differ', value: changed, unit: 's' },
  { what: 'apply of a file to an empty database', value: made, unit: 's' },
  { what: 'export as JSON', value: median(json), unit: 's' },
]);
scratch.remove();
