import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** What the tests need besides npm's packages, by the file that shows it is there. */
const NEEDED = [
  { package: 'openssh-server', file: '/usr/sbin/sshd', what: 'a real sshd to sweep' },
  { package: 'openssh-client', file: '/usr/bin/ssh-keygen', what: 'host keys for it' },
  { package: 'prometheus', file: '/usr/bin/promtool', what: 'promtool, which checks metrics and alert rules' },
  { package: 'chromium', file: process.env.CHROMIUM_PATH || '/usr/bin/chromium', what: 'a real browser' },
];

/** Installs what is missing from Debian's packages as root; else ends the process with the command that does. */
export function ensureSystemPackages(): void {
  const missing = NEEDED.filter(({ file }) => !existsSync(file));
  if (missing.length === 0) return;
  const names = missing.map((one) => one.package);
  const command = `apt-get update && apt-get install -y --no-install-recommends ${names.join(' ')}`;
  const isRoot = process.getuid?.() === 0;
  if (!isRoot || !existsSync('/usr/bin/apt-get')) {
    console.error(
      `The tests need ${missing.map((one) => `${one.package} (${one.what})`).join(', ')}. Install with:\n  sudo sh -c '${command}'`,
    );
    process.exit(1);
  }
  console.log(`Installing ${names.join(', ')} from Debian's packages (a minute or two) …`);
  const { status, stdout, stderr } = spawnSync('sh', ['-c', command], {
    encoding: 'utf8',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  if (status === 0 && NEEDED.every(({ file }) => existsSync(file))) return;
  console.error(`${stdout}${stderr}\nInstalling failed; see above. By hand: ${command}`);
  process.exit(1);
}

// For a container that is being made, where the tests will not run as root.
if (import.meta.main) ensureSystemPackages();
