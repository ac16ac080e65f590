import type { ServerChannel } from 'ssh2';
import type { BusMessage } from '../src/lib/provisioning/bus/rules/message.ts';
import type { BusValue, BusVariant } from '../src/lib/provisioning/bus/rules/values.ts';
import { BUS, serveBridge, type Bridge } from './bus-bridge.ts';
import { describeUnit, resetFailed, startUnit, type Machine } from './machine.ts';

const SYSTEMD = 'org.freedesktop.systemd1';
const MANAGER_PATH = '/org/freedesktop/systemd1';
const OWNER = ':1.0';
const NOT_ALLOWED = `${BUS}.Error.InteractiveAuthorizationRequired`;

/** The system bus of a simulated machine, behind `systemd-stdio-bridge`: its service manager with its one unit. */
export function serveMachineBus(channel: ServerChannel, machine: Machine, latencyMs: () => number): void {
  const manager = new ServiceManager(machine);
  const bridge = serveBridge(channel, {
    onCall: (call, to) => manager.answer(call, to),
    // One that hangs says no more.
    passes: () => machine.network === 'up',
    sender: OWNER,
    latencyMs,
  });
  const stop = manager.tell(bridge);
  channel.on('close', stop).on('error', stop);
}

/** What `systemd` answers on the bus, for one caller. Source: org.freedesktop.systemd1(5). */
class ServiceManager {
  readonly #machine: Machine;
  #isSubscribed = false;
  #jobs = 0;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  get #id(): string {
    return `${this.#machine.service}.service`;
  }

  get #path(): string {
    return `${MANAGER_PATH}/unit/${this.#id.replaceAll(/[^A-Za-z0-9]/g, escapeCharacter)}`;
  }

  /** Tells of each change of the unit, until what it gives is called. */
  tell(bridge: Bridge): () => void {
    const onChange = (): void => {
      const changed = ['ActiveState', 'SubState', 'InvocationID', 'StateChangeTimestampMonotonic'];
      if (!this.#isSubscribed || this.#machine.network !== 'up') return;
      bridge.signal({
        path: this.#path,
        interface: `${BUS}.Properties`,
        member: 'PropertiesChanged',
        sender: OWNER,
        signature: 'sa{sv}as',
        body: [`${SYSTEMD}.Unit`, new Map(changed.map((name) => [name, this.#read('Unit', name) ?? NOTHING])), []],
      });
    };
    this.#machine.watchers.add(onChange);
    return () => this.#machine.watchers.delete(onChange);
  }

  answer(call: BusMessage, bridge: Bridge): void {
    const [first, second] = call.body;
    switch (call.member) {
      case 'Subscribe':
        this.#isSubscribed = true;
        bridge.reply(call);
        return;
      case 'LoadUnit':
        if (first === this.#id) bridge.reply(call, ['o', [this.#path]]);
        else bridge.refuse(call, `${SYSTEMD}.NoSuchUnit`, 'this machine has one unit');
        return;
      case 'Get': {
        const value = this.#read(lastWord(first), second);
        if (value !== undefined && call.path === this.#path) bridge.reply(call, ['v', [value]]);
        else bridge.refuse(call, `${BUS}.Error.UnknownProperty`, 'there is no such property');
        return;
      }
      case 'StartUnit':
      case 'RestartUnit':
      case 'StopUnit':
      case 'ResetFailedUnit':
        if (!this.#allows(call)) bridge.refuse(call, NOT_ALLOWED, 'Interactive authentication required.');
        // What makes no sense is judged by the right to it, and then goes no further.
        else if (second === 'isolate')
          bridge.refuse(call, `${BUS}.Error.InvalidArgs`, 'Isolate is only valid for start.');
        else if (call.member !== 'ResetFailedUnit') this.#order(call, bridge);
        else {
          resetFailed(this.#machine);
          bridge.reply(call);
        }
        return;
      case undefined:
      default:
        bridge.refuse(call, `${BUS}.Error.UnknownMethod`, 'there is no such method');
    }
  }

  #read(of: string, name: BusValue | undefined): BusVariant | undefined {
    if (of === 'Unit' && name === 'Id') return { signature: 's', value: this.#id };
    return typeof name === 'string' ? describeUnit(this.#machine)[`${of}.${name}`] : undefined;
  }

  /** As the rule of the recipe has it: this unit, and to start it. */
  #allows({ member, body: [unit] }: BusMessage): boolean {
    return this.#machine.bus === 'start' && unit === this.#id && member !== 'StopUnit';
  }

  /** A start leaves one alone that is up. */
  #order(call: BusMessage, bridge: Bridge): void {
    const machine = this.#machine;
    this.#jobs += 1;
    const [number, path] = [this.#jobs, `${MANAGER_PATH}/job/${this.#jobs}`];
    bridge.reply(call, ['o', [path]]);
    const isDone = call.member === 'StartUnit' && machine.unit === 'active';
    const { exitCode, takesMs = 0 } = isDone ? { exitCode: 0 } : startUnit(machine);
    const { starts } = machine;
    const end = (): void => {
      const result = machine.starts === starts ? (exitCode === 0 ? 'done' : 'failed') : 'canceled';
      bridge.signal({
        path: MANAGER_PATH,
        interface: `${SYSTEMD}.Manager`,
        member: 'JobRemoved',
        sender: OWNER,
        signature: 'uoss',
        body: [number, path, this.#id, result],
      });
    };
    if (takesMs === 0) end();
    else setTimeout(end, takesMs).unref();
  }
}

const NOTHING: BusVariant = { signature: 's', value: '' };

/** As systemd escapes the name of a unit in the path of its object. */
const escapeCharacter = (character: string): string => `_${character.charCodeAt(0).toString(16).padStart(2, '0')}`;

const lastWord = (name: BusValue | undefined): string =>
  typeof name === 'string' ? name.slice(name.lastIndexOf('.') + 1) : '';
