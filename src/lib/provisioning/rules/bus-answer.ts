import { maskSecretsIn } from '../../facts/mask-secrets.ts';
import { cleanRemoteText } from '../../facts/remote-text.ts';
import { describeState, type UnitFacts } from '../../facts/unit-state.ts';
import type { RestartFailure } from './systemctl-answer.ts';

/** What the unit is like after an order that came to nothing. */
export type AfterJob = { readonly activeState: string; readonly unit: UnitFacts | null };

/** Answers of the bus to an order, by their names. Source: systemd, bus-common-errors.h; D-Bus specification. */
const NOT_ALLOWED = [
  'org.freedesktop.DBus.Error.AccessDenied',
  'org.freedesktop.DBus.Error.InteractiveAuthorizationRequired',
  'org.freedesktop.DBus.Error.AuthFailed',
  'org.freedesktop.PolicyKit1.Error.NotAuthorized',
];

/** Whether it is the login that may not: another way may be open to it. */
export const isNotAllowed = (errorName: string): boolean => NOT_ALLOWED.includes(errorName);

/** Why an order was refused by systemd itself. */
export function readRefusal(errorName: string, message: string): RestartFailure {
  const said = maskSecretsIn(cleanRemoteText(message));
  switch (errorName) {
    case 'org.freedesktop.systemd1.NoSuchUnit':
      return { code: 'unit_missing', message: `the service is not installed on the VPS: ${said}` };
    case 'org.freedesktop.systemd1.UnitMasked':
      return { code: 'unit_masked', message: `the service is masked on the VPS: ${said}` };
    default:
      return { code: 'restart_failed', message: `systemd refused the restart: ${said || cleanRemoteText(errorName)}` };
  }
}

/**
 * Why the job of an order did not bring the unit up. `end` is the word of systemd for its end; `before` what was known of
 * the unit before: where nothing has been started since, it was the start limit, whatever the last result says.
 */
export function readFailedJob(
  end: string,
  { after, before, service }: { readonly after: AfterJob; readonly before: UnitFacts | null; readonly service: string },
): RestartFailure {
  const { activeState, unit } = after;
  switch (unit?.loadState) {
    case 'not-found':
      return { code: 'unit_missing', message: 'the service is not installed on the VPS' };
    case 'masked':
      return { code: 'unit_masked', message: 'the service is masked on the VPS' };
    case undefined:
    default:
      break;
  }
  const isSame = Boolean(before?.invocationId) && unit?.invocationId === before?.invocationId;
  if (unit?.result === 'start-limit-hit' || (end === 'failed' && isSame))
    return {
      code: 'start_limit',
      message: `restart refused by systemd's start limit: ${service} was started too often in a short time`,
    };
  return {
    code: 'restart_failed',
    message: `restart failed (${cleanRemoteText(end, 20)}): the service is ${describeState(activeState, unit)}`,
  };
}
