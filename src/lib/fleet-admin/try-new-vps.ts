import type { App } from '../app.ts';
import { judge } from '../monitoring/rules/verdict.ts';
import { parsePrivateKey } from '../provisioning/private-key.ts';
import { VpsLink } from '../provisioning/vps-link.ts';
import type { NewVps } from './new-vps.ts';

/** How it went to log in to a VPS that is not in the fleet yet. */
export type Trial = {
  /** It can be watched: the login works and the unit is there, running or not. */
  readonly isGood: boolean;
  /** What was seen, a sentence without its full stop. */
  readonly saw: string;
  /** The key that the host has proved to own; null before a login. */
  readonly hostKey: string | null;
};

/** Logs in and looks, once. Changes nothing there, and never rejects. */
export async function tryNewVps({ settings }: App, vps: NewVps, signal: AbortSignal): Promise<Trial> {
  const service = vps.service ?? settings.monitoredService;
  const { host, port, user: username, hostKey } = vps;
  const target = { host, port, username, hostKey, service, privateKey: parsePrivateKey(vps.privateKey) };
  const link = new VpsLink(target, { limits: settings, choice: settings.sshLink });
  const probe = await link.look(signal);
  await link.close();
  const verdict = judge(probe.result, { graceUsed: true, start: null }, new Date());
  const isGood = !['misconfigured', 'unreachable', 'inconclusive'].includes(verdict.kind);
  return { isGood, saw: verdict.kind === 'healthy' ? `${service} is active` : verdict.message, hostKey: probe.hostKey };
}
