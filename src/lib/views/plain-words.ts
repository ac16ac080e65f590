import { isConfigurationFault } from '../monitoring/rules/verdict.ts';

const SERVICE: readonly string[] = [
  'service_not_active',
  'service_in_transition',
  'restart_failed',
  'start_limit',
  'crash_loop',
];
const OURS: readonly string[] = ['key_unreadable', 'key_invalid', 'target_invalid', 'stalled', 'aborted', 'outage'];

/** Whether an error tells about us rather than about the server. */
export const isOurFault = (code: string | null): boolean => code !== null && OURS.includes(code);

/** What an error means to the customer: no jargon, no blame, nothing that a machine said. */
export function plainError(code: string | null): string {
  if (code !== null && SERVICE.includes(code)) return 'the service was not running';
  if (isOurFault(code)) return 'we could not check it; that is our fault, not your server’s';
  if (isConfigurationFault(code)) return 'the service could not be checked; our team has to look';
  return 'your server did not answer';
}
