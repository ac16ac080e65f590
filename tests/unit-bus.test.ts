import { readFileSync } from 'node:fs';
import { platform } from 'node:os';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { BusRefusal } from '../src/lib/provisioning/bus/bus-connection.ts';
import { UnitBus } from '../src/lib/provisioning/bus/unit-bus.ts';
import type { SSHCommandError } from '../src/lib/provisioning/ssh-failure.ts';
import { SSHSession } from '../src/lib/provisioning/ssh-session.ts';
import { serveBus, type BusCaller } from './support/bus-peer.ts';
import { answer, newKey, sshPeer, type Exec } from './support/peers.ts';

const login = newKey();
const hostKey = newKey();
const patience = { timeoutMs: 10_000 };
const BRIDGE = 'systemd-stdio-bridge';

/** A connection to a host whose bridge is this; other commands are answered with their name. */
async function dial(onBridge: (exec: Exec) => void) {
  const callers: Exec[] = [];
  const peer = await sshPeer({
    hostKeys: [hostKey.privateKey],
    onExec: (exec) => {
      callers.push(exec);
      if (exec.command === BRIDGE) onBridge(exec);
      else answer(exec, { stdout: exec.command });
    },
  });
  onTestFinished(peer.close);
  const target = { host: '127.0.0.1', port: peer.port, username: 'ward', privateKey: login.privateKey };
  const session = await SSHSession.open(target, patience);
  onTestFinished(() => session.close().then(() => undefined));
  return { session, callers };
}

/** The unit of a host with a bus, and who serves it. */
async function openUnit(prepare: (caller: BusCaller) => void = () => undefined) {
  let caller: BusCaller | null = null;
  const dialled = await dial((exec) =>
    serveBus(exec, (prepared) => {
      caller = prepared;
      prepare(prepared);
    }),
  );
  const states: string[] = [];
  const ends: SSHCommandError[] = [];
  const listener = { onState: (state: string) => states.push(state), onEnd: (why: SSHCommandError) => ends.push(why) };
  const unit = await UnitBus.open(dialled.session, 'rachel8', { ...patience, listener });
  if (caller === null) throw new Error('nobody has called');
  return { ...dialled, unit, states, ends, bus: caller as BusCaller };
}

describe('a unit on the bus', () => {
  it('is looked at in one call while it is active', async () => {
    const { unit, bus } = await openUnit();
    bus.calls.length = 0;
    expect(await unit.look(patience)).toEqual({ activeState: 'active', unit: null, text: '' });
    expect(bus.calls).toEqual(['Get']);
  });

  it('is described when it is not', async () => {
    const { unit, bus } = await openUnit();
    Object.assign(bus.unit, { ActiveState: 'failed', SubState: 'failed', Result: 'exit-code', NRestarts: 3 });
    expect(await unit.look(patience)).toEqual({
      activeState: 'failed',
      unit: {
        loadState: 'loaded',
        subState: 'failed',
        result: 'exit-code',
        invocationId: 'cafe',
        startTimeoutMs: 90_000,
        stateAgeMs: null,
        notInactiveMs: null,
      },
      text: [
        'LoadState=loaded',
        'ActiveState=failed',
        'SubState=failed',
        'InvocationID=cafe',
        'InactiveExitTimestampMonotonic=4711000000',
        'StateChangeTimestampMonotonic=4711000000',
        'Result=exit-code',
        'ExecMainCode=1',
        'ExecMainStatus=203',
        'NRestarts=3',
        'TimeoutStartUSec=90s\n',
      ].join('\n'),
    });
  });

  it('is described in clean lines of bounded length, whatever its host calls it', async () => {
    const { unit, bus } = await openUnit();
    Object.assign(bus.unit, {
      ActiveState: 'failed',
      SubState: 'a\nLoadState=\u001b[31mmasked',
      Result: 'x'.repeat(999),
    });
    const { text, unit: facts } = await unit.look(patience);
    expect(text.split('\n')).toHaveLength(12);
    expect(text).not.toContain('\u001b');
    expect(text).not.toContain('x'.repeat(41));
    expect(facts?.loadState).toBe('loaded');
  });

  it('may have come up while it was described', async () => {
    const { unit, bus } = await openUnit();
    bus.unit.ActiveState = 'activating';
    const before = bus.calls.filter((member) => member === 'Get').length;
    bus.onCall = () => {
      // The first call is that for the state alone.
      if (bus.calls.filter((member) => member === 'Get').length === before + 2) bus.unit.ActiveState = 'active';
    };
    expect(await unit.look(patience)).toEqual({ activeState: 'active', unit: null, text: '' });
  });

  it.for([
    [90_000_000n, 90_000],
    [1_500_001n, 1_500.001],
    [0n, Infinity],
    [2n ** 64n - 1n, Infinity],
    [86_400_000_000n * 3_000n, 86_400_000 * 3_000],
  ] as const)('may take %i us to start', async ([us, startTimeoutMs]) => {
    const { unit, bus } = await openUnit();
    Object.assign(bus.unit, { ActiveState: 'failed', TimeoutStartUSec: us });
    expect((await unit.look(patience)).unit).toMatchObject({ startTimeoutMs });
  });

  it('tells which run of it this is, and how often systemd has started it again', async () => {
    const { unit, bus } = await openUnit();
    expect(await unit.life(patience)).toEqual({ invocationId: 'cafe', restarts: 0 });
    Object.assign(bus.unit, { InvocationID: Uint8Array.of(0xbe, 0xef), NRestarts: 2 });
    expect(await unit.life(patience)).toEqual({ invocationId: 'beef', restarts: 2 });
  });

  it('tells when it was heard of, and how long an answer takes', async () => {
    const { unit, bus } = await openUnit();
    expect(unit).toMatchObject({ lastNewsAt: null, roundTripMs: null });
    const before = Date.now();
    bus.become('failed', ':1.66');
    await unit.look(patience);
    expect(unit.lastNewsAt).toBeNull();
    bus.become('failed');
    await vi.waitFor(() => expect(unit.lastNewsAt?.getTime()).toBeGreaterThanOrEqual(before));
    expect(unit.roundTripMs).toBeGreaterThan(0);
  });

  it('tells at once what becomes of it, and only by the service manager', async () => {
    const { bus, states, unit } = await openUnit();
    bus.become('inactive', ':1.66');
    bus.become('failed');
    await vi.waitFor(() => expect(states).toEqual(['failed']));
    expect(await unit.look(patience)).toMatchObject({ activeState: 'failed' });
  });

  it('is no news when only a job of it begins or ends', async () => {
    const { bus, states, unit } = await openUnit();
    bus.become('failed');
    bus.tell('failed');
    bus.become('activating');
    bus.become('active');
    bus.tell('active');
    // Ended and started again in between.
    bus.become('active');
    await unit.look(patience);
    expect(states).toEqual(['failed', 'activating', 'active', 'active']);
    bus.become('failed', ':1.66');
    bus.unit.ActiveState = 'failed';
    await unit.look(patience);
    bus.tell('failed');
    await unit.look(patience);
    expect(states).toHaveLength(4);
  });

  it.for([
    ['StartUnit', 'start', true],
    ['StartUnit', 'start', false],
    ['RestartUnit', 'restart', true],
  ] as const)(
    'takes %s, by %s, whether the job ends before it is answered or not: %s',
    async ([member, verb, isEarly]) => {
      const { unit, bus } = await openUnit();
      bus.unit.ActiveState = 'failed';
      bus.job = { end: 'done', isEarly };
      expect(await unit[verb](patience)).toBe('done');
      expect(bus.calls.at(-1)).toBe(member);
      expect(await unit.look(patience)).toMatchObject({ activeState: 'active' });
    },
  );

  it('is not called started by a job of an earlier order', async () => {
    const { unit, bus } = await openUnit();
    bus.job = { end: 'failed', isEarly: true };
    expect(await unit.start(patience)).toBe('failed');
    bus.job = { end: null, isEarly: false };
    expect(await unit.start({ timeoutMs: 200 })).toBeNull();
    expect(unit.isOpen).toBe(true);
  });

  it('is not started where that is not allowed, and the bus stays', async () => {
    const { unit, bus } = await openUnit();
    bus.refuses.set('StartUnit', 'org.freedesktop.DBus.Error.AccessDenied');
    const refused = await unit.start(patience).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(BusRefusal);
    expect(refused).toMatchObject({
      errorName: 'org.freedesktop.DBus.Error.AccessDenied',
      message: 'StartUnit is refused',
    });
    await unit.resetFailed(patience);
    expect(bus.calls.at(-1)).toBe('ResetFailedUnit');
  });

  it('may be no service, and then has no result', async () => {
    const { unit, bus } = await openUnit();
    bus.unit.ActiveState = 'inactive';
    bus.refuses.set('org.freedesktop.systemd1.Service', 'org.freedesktop.DBus.Error.UnknownInterface');
    expect(await unit.look(patience)).toMatchObject({
      unit: { result: '', loadState: 'loaded', startTimeoutMs: null },
    });
    expect(await unit.life(patience)).toEqual({ invocationId: 'cafe', restarts: 0 });
    bus.refuses.set('Get', 'org.freedesktop.DBus.Error.UnknownObject');
    await expect(unit.look(patience)).rejects.toBeInstanceOf(BusRefusal);
  });
});

/** What the system waits for on a connection of this machine, and for how many hundredths of a second. Source: proc(5). */
function kernelTimer(localPort: number): { readonly kind: string; readonly left: number } {
  const port = localPort.toString(16).toUpperCase().padStart(4, '0');
  const connection = readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .find(([, local = '', , state]) => local.endsWith(`:${port}`) && state === '01');
  const [kind = '', left = ''] = (connection?.[5] ?? '').split(':');
  return { kind, left: Number.parseInt(left, 16) };
}
const KEEP_ALIVE = '02';

describe('a host that is silent', () => {
  it.runIf(platform() === 'linux')('is asked by the system after 20 s whether it is still there', async () => {
    const { callers } = await openUnit();
    const [{ socket } = expect.unreachable()] = callers;
    // While something is on its way, that is waited for.
    await vi.waitFor(() => expect(kernelTimer(socket.remotePort ?? 0)).toMatchObject({ kind: KEEP_ALIVE }));
    expect(kernelTimer(socket.remotePort ?? 0).left).toBeLessThanOrEqual(2_000);
  });

  it('and takes what is sent to it is noticed by the next look, in the time that look has', async () => {
    const { callers, unit, ends } = await openUnit();
    callers[0]?.socket.pause();
    expect(unit.isOpen).toBe(true);
    await expect(unit.look({ timeoutMs: 300 })).rejects.toMatchObject({ code: 'timeout' });
    expect(ends).toMatchObject([{ code: 'timeout' }]);
    expect(unit.isOpen).toBe(false);
  });
});

describe('beside the bus', () => {
  it('commands run on the same connection', async () => {
    const { session, unit, callers } = await openUnit();
    for (const command of ['one', 'two']) {
      const [{ stdout }, look] = await Promise.all([session.run(command, patience), unit.look(patience)]);
      expect({ stdout, look }).toMatchObject({ stdout: command, look: { activeState: 'active' } });
    }
    expect(callers.map(({ command }) => command)).toEqual([BRIDGE, 'one', 'two']);
  });

  it('they go on when the bridge has ended, which is said in its own words', async () => {
    const { session, ends, bus, unit } = await openUnit();
    bus.ignores.add('Get');
    const look = unit.look(patience).catch((error: unknown) => error);
    bus.channel.stderr.write('bus: \u001b[31mBroken pipe\n');
    bus.channel.exit(1);
    bus.channel.end();
    expect(await look).toMatchObject({
      code: 'reset',
      message: expect.stringMatching(/exit code 1\): bus: Broken pipe/),
    });
    expect(ends).toHaveLength(1);
    expect(unit.isOpen).toBe(false);
    expect(await session.run('one', patience)).toMatchObject({ stdout: 'one' });
    await expect(unit.look(patience)).rejects.toMatchObject({ code: 'reset' });
  });
});

describe('a bus that is none', () => {
  const openOn = async (onBridge: (exec: Exec) => void) => {
    const { session } = await dial(onBridge);
    const onEnd = vi.fn();
    const opened = UnitBus.open(session, 'rachel8', {
      timeoutMs: 2_000,
      listener: { onState: () => undefined, onEnd },
    });
    return { error: await opened.catch((error: unknown) => error), onEnd, session };
  };

  it.for<[string, (exec: Exec) => void, object]>([
    [
      'is not installed',
      (exec) => answer(exec, { exitCode: 127, stderr: `sh: ${BRIDGE}: not found\n` }),
      { code: 'reset', message: expect.stringMatching(/exit code 127\): sh: systemd-stdio-bridge: not found/) },
    ],
    ['says nothing', (exec) => exec.accept(), { code: 'timeout' }],
    [
      'is a shell',
      (exec) => exec.accept().write('Welcome!\n'),
      { code: 'protocol', message: expect.stringMatching(/no bus/) },
    ],
    ['is refused', (exec) => exec.reject(), { code: 'protocol' }],
    ['breaks the connection', ({ socket }) => socket.destroy(), { code: 'reset' }],
  ])('%s', async ([, onBridge, expected]) => {
    const { error } = await openOn(onBridge);
    expect(error).toMatchObject({ name: 'SSHCommandError', ...expected });
  });
});

describe('a bus that does what it must not ends the connection:', () => {
  /** Answers the next look like this. */
  it.for<[string, (bus: BusCaller) => void, object]>([
    ['it answers nothing', (bus) => bus.ignores.add('Get'), { code: 'timeout' }],
    ['it answers what was not asked', (bus) => bus.send({ type: 'return', replySerial: 4_711 }), { code: 'protocol' }],
    ['it calls', (bus) => bus.send({ type: 'call', path: '/', member: 'Ping' }), { code: 'protocol' }],
    [
      'it claims a message of 4 GiB',
      (bus) => bus.pour(Buffer.from('6c04000100ffffff0100000000ffffff', 'hex')),
      { code: 'protocol' },
    ],
    [
      'it prints to stderr without end',
      (bus) => bus.channel.stderr.write(Buffer.alloc(65 * 1024)),
      { code: 'output_limit' },
    ],
    [
      'its manager comes back as another',
      (bus) => {
        bus.ignores.add('Get');
        bus.onCall = (call) => bus.reply(call, ['v', [{ signature: 's', value: 'active' }]], ':1.77');
      },
      { code: 'reset' },
    ],
    [
      'its manager leaves it, perhaps to come back, of which the bus alone may tell',
      (bus) => {
        bus.tellOfBus('NameOwnerChanged', ['org.freedesktop.systemd1', ':1.0', ''], ':1.66');
        bus.become('failed');
        bus.tellOfBus('NameOwnerChanged', ['org.freedesktop.systemd1', ':1.0', '']);
      },
      { code: 'reset', message: expect.stringMatching(/has left the bus/) },
    ],
    [
      'it brings news without end',
      (bus) => {
        bus.ignores.add('Get');
        for (let sent = 0; sent < 2_000; sent += 1) bus.become('failed');
      },
      { code: 'protocol', message: expect.stringMatching(/more than 256 KiB/) },
    ],
  ])('%s', async ([, misbehave, expected]) => {
    const { unit, bus, ends, session } = await openUnit();
    misbehave(bus);
    const failed = await unit.look({ timeoutMs: 2_000 }).then(
      () => vi.waitFor(() => ends[0] ?? expect.unreachable()),
      (error: unknown) => error,
    );
    expect(failed).toMatchObject(expected);
    await vi.waitFor(() => expect(ends).toHaveLength(1));
    expect(session.isOpen).toBe(false);
  });

  it('a look is given up with the process', async () => {
    const { unit, bus, ends } = await openUnit();
    bus.ignores.add('Get');
    const stop = new AbortController();
    const look = unit.look({ ...patience, signal: stop.signal }).catch((error: unknown) => error);
    stop.abort();
    expect(await look).toMatchObject({ code: 'aborted' });
    expect(ends).toHaveLength(1);
  });
});
