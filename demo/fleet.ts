// The simulated fleet, in a process of its own: its work must not take time from the monitor's.
import { platform } from 'node:os';
import { startSshHost, type SshHost } from './ssh-host.ts';
import { healthyMachine, type Machine } from './machine.ts';
import { CUSTOMERS, MANNERS, STORY, type Customer } from './story.ts';

export type FleetMember = { readonly customer: Customer; readonly host: string; readonly port: number };
export type ToFleet = { readonly kind: 'build'; readonly publicKey: string } | { readonly kind: 'play' };
export type FromFleet =
  | { readonly kind: 'built'; readonly members: readonly FleetMember[] }
  | { readonly kind: 'scene'; readonly customer: Customer; readonly what: string };

const say = (message: FromFleet): void => void process.send?.(message);
/** Each host an address of its own where loopback has more than one; elsewhere they differ by port. */
const addressOf = (index: number): string => (platform() === 'linux' ? `127.77.0.${index + 1}` : '127.0.0.1');
/** Most let the monitor start their service over systemd's bus; some let it look there, and some have none. */
const busOf = (index: number): Machine['bus'] => (index % 8 === 6 ? 'read' : index % 8 === 7 ? 'none' : 'start');
const latencyMs = (): number => 15 + Math.random() * 60;

const cast = new Map<Customer, { readonly machine: Machine; readonly host: SshHost }>();

async function build(publicKey: string): Promise<void> {
  const members: FleetMember[] = [];
  for (const [index, customer] of CUSTOMERS.entries()) {
    const machine = healthyMachine({ bus: busOf(index), ...MANNERS[customer] });
    const host = await startSshHost(machine, addressOf(index), publicKey, { latencyMs });
    cast.set(customer, { machine, host });
    members.push({ customer, host: addressOf(index), port: host.port });
  }
  say({ kind: 'built', members });
}

function play(): void {
  for (const { afterS, customer, what, change } of STORY)
    setTimeout(() => {
      const actor = cast.get(customer);
      if (!actor) return;
      say({ kind: 'scene', customer, what });
      if (change === 'new host key') {
        actor.host.changeHostKey();
        return;
      }
      const refused = actor.machine.network === 'refuses';
      Object.assign(actor.machine, change);
      if (change.network === 'refuses') void actor.host.refuse();
      else if (refused) void actor.host.accept();
    }, afterS * 1_000);
}

process.on('message', (message: ToFleet) => {
  if (message.kind === 'play') play();
  else void build(message.publicKey);
});
// Whoever started this has ended, in whatever way.
process.on('disconnect', () => process.exit());
// Ctrl-C reaches the whole group; the monitor may still want to see a restart through.
process.on('SIGINT', () => undefined);
