// `npm run bench -- NAME [--json]`: runs one of the benches below; `--list` shows them. Each is a file of its own, in a
// process of its own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** What each measures; those with bars end with 1 where one is missed, and know `--json`. */
const BENCHES: Readonly<Record<string, string>> = {
  sweep: 'how long a sweep of healthy VPSs takes, for three sizes of fleet',
  stragglers: 'a sweep of 1,000 VPSs of which a tenth hangs, at the default settings (four minutes; Linux)',
  recovery: 'how soon a killed service is active again, through the whole product (four minutes)',
  fleet:
    'steady sweeps of 100 to 20,000 VPSs: time, processor time and memory of the monitor (Linux; a quarter of an hour)',
  memory:
    'whether thousands of sweeps with deaths and silence leave anything behind (four hours; --sweeps 36 are five minutes)',
  pages: 'the fleet page at 50 requests a second, with and without a sweep of 5,000 VPSs (Linux; five minutes)',
  store:
    'how many checks a second are recorded with all that follows, into 90 days of history; what pages read from it',
  probe:
    'what a look costs over each kind of link, beside ssh, check_by_ssh, pdsh and ansible where they are installed',
  apply: 'wardround apply and export of 5,000 VPSs, the whole call (half a minute)',
  onboard: '500 VPSs from a file to healthy, through the whole product (Linux; two minutes)',
  cli: 'what a call of the command line costs, and the server at rest',
  history: 'two years of history of 1,000 VPSs: size, writing, reading, pruning',
  live: 'what open pages cost a sweep, and the page of a fleet of 5,000',
  maintenance: 'what asking for maintenance windows costs',
};

const [name, ...others] = process.argv.slice(2);
if (name === '--list') {
  for (const [bench, about] of Object.entries(BENCHES)) console.log(`${bench.padEnd(12)} ${about}`);
} else if (name === undefined || !Object.hasOwn(BENCHES, name)) {
  console.error(
    `${name === undefined ? 'which bench?' : `there is no bench "${name}"`} There are: ${Object.keys(BENCHES).join(', ')} (npm run bench -- --list says what each measures)`,
  );
  process.exitCode = 2;
} else {
  const file = fileURLToPath(new URL(`${name}.ts`, import.meta.url));
  const bench = spawn(process.execPath, [file, ...others], { stdio: 'inherit' });
  const [code] = (await once(bench, 'exit')) as [number | null];
  process.exitCode = code ?? 1;
}
