/**
 * The rooms of the house from the ground up: a room may import from itself and from the rooms above it in this list,
 * type imports counted. Each is the beginning of a path, or several where a room is spread out. This list is the only
 * one; `.dependency-cruiser.js` makes the walls of it, docs/architecture.md says what lives where.
 * @type {readonly (string | readonly string[])[]}
 */
export const ROOMS = [
  'src/lib/facts/',
  'src/lib/parsing/',
  'src/lib/fleet-files/',
  'src/lib/environment.ts',
  'src/lib/variables.ts',
  'src/lib/config.ts',
  'src/lib/log.ts',
  'src/lib/schedule.ts',
  'src/lib/crypto/',
  'src/lib/db/',
  'src/lib/provisioning/',
  'src/lib/mail/',
  'src/lib/app.ts',
  'src/lib/metrics/',
  'src/lib/auth/',
  'src/lib/history/',
  'src/lib/live/',
  'src/lib/notifications/',
  'src/lib/monitoring/',
  'src/lib/views/',
  'src/lib/fleet-admin/',
  'src/lib/jobs/',
  'src/lib/runtime/',
  'src/lib/doctor/',
  'src/lib/components/',
  ['src/routes/', 'src/hooks.server.ts', 'src/app.d.ts', 'src/app.css', 'src/error.html'],
  'scripts/',
  'cli/',
  // What nobody runs in earnest; tests beside their code belong here, too.
  ['demo/', 'bench/', 'tests/'],
];

/** Where modules lie that judge or word things and touch nothing; */
export const PURE_FOLDERS = ['rules', 'wording'];
/** how the names of others end, which say what somebody reads; */
export const PURE_SUFFIXES = ['words', 'query', 'sentence', 'csv', 'chart', 'drawing'];
/** and what is pure as a whole. The circuit breaker lies where the contract wants it. */
export const PURE_PLACES = ['src/lib/facts/', 'src/lib/fleet-files/', 'src/lib/monitoring/circuit-breaker.ts'];
/** Packages that work on their arguments alone. */
export const PURE_PACKAGES = ['cron-parser', 'csv-parse', 'ipaddr.js', 'ssh-config', 'yaml'];
