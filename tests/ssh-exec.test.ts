import { spawn, type ChildProcess } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import dns from 'node:dns';
import { getEventListeners, once } from 'node:events';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import ssh2 from 'ssh2';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { execSSHCommand } from '../src/lib/provisioning/ssh-exec.ts';
import type { SSHCommandResult } from '../src/lib/provisioning/ssh-session.ts';
import type { ExecOnceOrders, ExecOnceOutcome, ExecOnceReport } from './support/exec-once.ts';
import { deadPort, newKey, ssh, sshPeer, tcp, tcpPeer, type Peer, type SSHManners } from './support/peers.ts';
import { showBanner } from './support/hostile-peers.ts';

const ownKey = newKey();
const hostKey = newKey();
const ecdsaHostKey = newKey('ecdsa');

const login = {
  host: '127.0.0.1',
  username: 'monitor',
  privateKey: ownKey.privateKey,
  command: 'is-active',
  // For peers that answer: what they cause has to be told long before.
  connectTimeoutMs: 5_000,
  commandTimeoutMs: 5_000,
};
/** For peers that hang. */
const SHORT_MS = 400;
/** How late a timer may come on a busy machine. */
const SLACK_MS = 1_000;

type Run = { readonly report: ExecOnceReport; readonly end: unknown[]; readonly lingeredMs: number };

function startExecOnce(orders: Partial<ExecOnceOrders>): { readonly child: ChildProcess; readonly run: Promise<Run> } {
  const script = fileURLToPath(new URL('support/exec-once.ts', import.meta.url));
  const child = spawn(process.execPath, [script], {
    stdio: ['pipe', 'pipe', 'inherit'],
    timeout: 30_000,
    killSignal: 'SIGKILL',
  });
  child.stdin.end(JSON.stringify({ ...login, ...orders }));
  let printed = '';
  let printedAtMs = 0;
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    printed += part;
    printedAtMs = performance.now();
  });
  const run = once(child, 'close').then((end) => ({
    report: JSON.parse(printed) as ExecOnceReport,
    end,
    lingeredMs: performance.now() - printedAtMs,
  }));
  return { child, run };
}

/** Whatever came out: the process ended by itself and at once, with nothing left open and no stray error. */
function expectNothingLeft({ report, end, lingeredMs }: Run): void {
  expect(report.strays).toEqual([]);
  expect(report.leftOpen).toEqual([]);
  expect(report.abortListenersLeft).toBe(0);
  expect(end).toEqual([0, null]);
  expect(lingeredMs).toBeLessThan(1_000);
}

/** What a peer does as a TCP server, or where it departs from a healthy SSH host. */
type Manners = ((socket: net.Socket) => unknown) | Partial<SSHManners>;

const startPeer = (manners: Manners): Promise<Peer> =>
  typeof manners === 'function' ? tcpPeer(manners) : sshPeer({ hostKeys: [hostKey.privateKey], ...manners });

type Failed = Extract<ExecOnceOutcome, { ok: false }>;
type Expected = `${Failed['code']} in ${Failed['phase']}`;
type FailingCase = {
  readonly when: string;
  readonly peer: Manners;
  readonly orders?: Partial<ExecOnceOrders>;
  readonly gives: Expected;
  readonly orElse?: Expected;
  readonly says?: RegExp;
};

const shortLogin = { connectTimeoutMs: SHORT_MS };
const shortCommand = { commandTimeoutMs: SHORT_MS };
/** No resolver has to be asked to know that there is none. */
const unknownName = { host: 'no-such..host' };
const otherPin = { hostKey: newKey().publicKey };
const onlyEcdsa = { hostKeys: [ecdsaHostKey.privateKey] };
const MORE_THAN_256_KIB = /sent more than 256 KiB/;

/** As sshd does where PAM refuses the account: the key would do, it is signed for, a text is shown, and that is all. */
const refusesAccount = ({ notice = '', says = '' }: { notice?: string; says?: string }): Partial<SSHManners> => ({
  onLogin: (context, { connection, socket }) => {
    if (context.method !== 'publickey') context.reject(['publickey']);
    else if (context.signature === undefined) {
      if (notice !== '') showBanner(connection, notice);
      context.accept();
    } else {
      if (says !== '') showBanner(connection, says);
      socket.end();
    }
  },
});

// prettier-ignore
const FAILING: FailingCase[] = [
  { when: 'the host name is unknown', peer: {}, orders: unknownName, gives: 'dns in connect' },
  { when: 'the signal was given before', peer: {}, orders: { aborted: true }, gives: 'aborted in connect' },
  { when: 'sshd punishes this address', peer: (socket) => socket.end('Not allowed at this time\r\n'), gives: 'reset in handshake', says: /PerSourcePenaltyExemptList/ },
  { when: 'sshd has too many logins under way', peer: (socket) => socket.end('Exceeded MaxStartups\r\n'), gives: 'reset in handshake', says: /MaxStartups/ },
  { when: 'the peer hangs', peer: tcp.hang, orders: shortLogin, gives: 'timeout in handshake' },
  { when: 'it hangs after its banner', peer: tcp.hangAfterBanner, orders: shortLogin, gives: 'timeout in handshake' },
  { when: 'it closes without a banner', peer: tcp.closeAtOnce, gives: 'reset in handshake' },
  { when: 'it closes after its banner', peer: tcp.closeAfterBanner, gives: 'reset in handshake' },
  { when: 'its greeting has no end', peer: tcp.endlessGreeting, gives: 'protocol in handshake', says: MORE_THAN_256_KIB },
  { when: 'its greeting is an endless line', peer: tcp.endlessLine, gives: 'protocol in handshake' },
  { when: 'its banner causes two errors', peer: tcp.wrongBanner, gives: 'protocol in handshake' },
  { when: 'it sends garbage', peer: tcp.garbageAfterBanner, gives: 'protocol in handshake' },
  { when: 'it sends garbage and resets', peer: tcp.garbageThenReset, gives: 'protocol in handshake', orElse: 'reset in handshake' },
  { when: 'its key is not the pinned one', peer: {}, orders: otherPin, gives: 'host_key_changed in handshake', says: /shows the key ssh-ed25519 SHA256:\S+, and not the pinned ssh-ed25519 SHA256:/ },
  { when: 'its key is of another type', peer: onlyEcdsa, orders: otherPin, gives: 'host_key_changed in handshake', says: /shows the key ecdsa-sha2-nistp\d+ SHA256:\S+, and not the pinned ssh-ed25519 SHA256:/ },
  { when: 'it rejects the key', peer: ssh.rejectKey, gives: 'auth_rejected in auth', says: /as monitor with this key$/ },
  { when: 'it takes the key and refuses the account', peer: refusesAccount({ says: 'Your account has expired;\r\n\u001b[31mask us.\n' }), gives: 'auth_rejected in auth', says: /^the host took the key and refused the login as monitor: Your account has expired; ask us\.$/ },
  { when: 'it refuses the account without a word', peer: refusesAccount({}), gives: 'auth_rejected in auth', says: /refused the login as monitor and does not say why$/ },
  { when: 'it refuses the account after a notice to all', peer: refusesAccount({ notice: 'Authorized use only.\n' }), gives: 'auth_rejected in auth', says: /refused the login as monitor and does not say why$/ },
  { when: 'it hangs up before it has said what it thinks of the key', peer: { onLogin: (_, { socket }) => socket.end() }, gives: 'reset in auth' },
  { when: 'it never answers the login', peer: ssh.neverAnswerLogin, orders: { connectTimeoutMs: 1_500 }, gives: 'timeout in auth' },
  { when: 'it floods the login', peer: ssh.floodLogin, gives: 'protocol in auth', says: MORE_THAN_256_KIB },
  { when: 'it opens no channel', peer: ssh.neverOpenChannel, orders: shortCommand, gives: 'timeout in channel' },
  { when: 'it refuses the channel', peer: ssh.refuseChannel, gives: 'protocol in channel', says: /opened no channel/ },
  { when: 'it refuses with escape sequences', peer: ssh.refuseChannelWithEscapes, gives: 'protocol in channel', says: /: no more room$/ },
  { when: 'it refuses the command', peer: ssh.refuseCommand, gives: 'protocol in channel' },
  { when: 'the command never ends', peer: ssh.neverEnd, orders: shortCommand, gives: 'timeout in command' },
  { when: 'stdout has no end', peer: ssh.endlessStdout, gives: 'output_limit in command' },
  { when: 'stderr has no end', peer: ssh.endlessStderr, gives: 'output_limit in command' },
  { when: 'stdout is one byte over 64 KiB', peer: ssh.outputOverLimit, gives: 'output_limit in command' },
  { when: 'no exit status comes', peer: ssh.noExitStatus, gives: 'no_exit_status in command' },
  { when: 'the command is killed', peer: ssh.killed, gives: 'no_exit_status in command', says: /by SIGKILL$/ },
  { when: 'the connection is reset meanwhile', peer: ssh.resetInCommand, gives: 'reset in command' },
  { when: 'the connection is closed meanwhile', peer: ssh.closeInCommand, gives: 'reset in command' },
  { when: 'it lets the caller in at every command', peer: ssh.letInAtEveryCommand, orders: shortCommand, gives: 'timeout in command' },
  { when: 'it rejects the key, then lets the caller in', peer: ssh.rejectKeyThenLetIn, gives: 'auth_rejected in auth' },
  { when: 'the host name contains a NUL', peer: {}, orders: { host: 'a\0b' }, gives: 'target_invalid in connect' },
];

/** A time limit strikes when it is due, everything else is told long before. */
function expectInTime({ code, phase }: Failed, elapsedMs: number, orders: Partial<ExecOnceOrders> = {}): void {
  const { connectTimeoutMs, commandTimeoutMs } = { ...login, ...orders };
  if (code === 'timeout') {
    const limitMs = phase === 'channel' || phase === 'command' ? commandTimeoutMs : connectTimeoutMs;
    expect(elapsedMs).toBeGreaterThan(limitMs - 5);
    expect(elapsedMs).toBeLessThan(limitMs + SLACK_MS);
  } else expect(elapsedMs).toBeLessThan(connectTimeoutMs * 0.6);
}

async function expectFailure(given: FailingCase, port: number): Promise<void> {
  const run = await startExecOnce({ port, ...given.orders }).run;
  const { outcome, elapsedMs } = run.report;
  if (outcome.ok) expect.fail(`it succeeded: ${JSON.stringify(outcome.result)}`);
  expect([given.gives, given.orElse]).toContain(`${outcome.code} in ${outcome.phase}`);
  expect(outcome.message).toMatch(given.says ?? /./);
  expect(outcome.message).toMatch(/^\P{C}{10,250}$/u);
  expectInTime(outcome, elapsedMs, given.orders);
  expectNothingLeft(run);
}

describe.concurrent('a command that gave no exit code is told with its reason and phase, in time', () => {
  it.for(FAILING)('$gives when $when', async (given, { onTestFinished }) => {
    const peer = await startPeer(given.peer);
    onTestFinished(peer.close);
    await expectFailure(given, peer.port);
  });

  it('refused in connect when nobody listens', async () => {
    await expectFailure({ when: '', peer: {}, gives: 'refused in connect' }, await deadPort());
  });
});

type GoodCase = {
  readonly when: string;
  readonly peer?: Partial<SSHManners>;
  readonly orders?: Partial<ExecOnceOrders>;
  readonly gives: Partial<SSHCommandResult>;
};

const KIB_64 = 64 * 1024;
const healthy = { exitCode: 0, stdout: 'ran: is-active\n', stderr: 'a warning\n', hostKey: hostKey.publicKey };
const twoHostKeys = { hostKeys: [hostKey.privateKey, ecdsaHostKey.privateKey] };
/** More than the kernel keeps for a peer that does not read. */
const longCommand = { command: 'x'.repeat(16 * 1024 * 1024) };
const ecdsaPin = { hostKey: ecdsaHostKey.publicKey };

// prettier-ignore
const GOOD: GoodCase[] = [
  { when: 'the host is healthy', gives: healthy },
  { when: 'the command fails', peer: ssh.inactive, gives: { exitCode: 3, stdout: 'inactive\n', stderr: '' } },
  { when: 'both streams bring 64 KiB', peer: ssh.outputAtLimit, gives: { stdout: 'o'.repeat(KIB_64), stderr: 'e'.repeat(KIB_64) } },
  { when: 'a letter is cut in two by the packets', peer: ssh.byteByByte, gives: { stdout: 'läuft' } },
  { when: 'all comes in one segment', peer: ssh.oneSegment, gives: { exitCode: 0, stdout: 'out', stderr: 'err' } },
  { when: 'the connection ends with the exit status', peer: ssh.endWithExitStatus, gives: { exitCode: 4 } },
  { when: 'the host never closes its side', peer: ssh.halfOpen, gives: { exitCode: 5 } },
  { when: 'the host reads no more of the command', peer: ssh.deaf, orders: longCommand, gives: { exitCode: 6 } },
  { when: 'the host shows the pinned key', orders: { hostKey: hostKey.publicKey }, gives: healthy },
  { when: 'the host would prefer another key', peer: twoHostKeys, orders: ecdsaPin, gives: ecdsaPin },
  { when: 'the login key is RSA', orders: { privateKey: newKey('rsa').privateKey }, gives: healthy },
];

describe.concurrent('a command that ended is told with its exit code and output', () => {
  it.for(GOOD)('when $when', async ({ peer: manners = {}, orders, gives }, { onTestFinished }) => {
    const peer = await startPeer(manners);
    onTestFinished(peer.close);
    const run = await startExecOnce({ port: peer.port, ...orders }).run;
    expect(run.report.outcome).toMatchObject({ ok: true, result: gives });
    expect(run.report.elapsedMs).toBeLessThan(login.connectTimeoutMs * 0.6);
    expectNothingLeft(run);
  });

  it('200 times in sequence without a socket, timer or listener more than before', async ({ onTestFinished }) => {
    const peer = await startPeer({});
    onTestFinished(peer.close);
    const run = await startExecOnce({ port: peer.port, runs: 200 }).run;
    expect(run.report.outcome).toMatchObject({ ok: true, result: healthy });
    expectNothingLeft(run);
  });
});

describe.concurrent('what the monitor does itself says nothing about the host', () => {
  const sealed = ssh2.utils.generateKeyPairSync('ed25519', { passphrase: 'x', cipher: 'aes256-ctr', rounds: 1 });
  const sealedPem = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'sec1', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' },
  });
  it.for([
    ['key_invalid', 'a key that is none', { privateKey: 'not a key' }, /malformed/],
    ['key_invalid', 'an empty key', { privateKey: '' }, /malformed/],
    ['key_invalid', 'a key cut short', { privateKey: ownKey.privateKey.slice(0, 120) }, /malformed/],
    ['key_invalid', 'a public key', { privateKey: ownKey.publicKey }, /public key/],
    ['key_invalid', 'an OpenSSH key with a passphrase', { privateKey: sealed.private }, /passphrase/],
    ['key_invalid', 'a PEM key with a passphrase', { privateKey: sealedPem.privateKey }, /passphrase/],
    ['target_invalid', 'port 0', { port: 0 }, /port 0/],
    ['target_invalid', 'port 99999', { port: 99_999 }, /port 99999/],
    ['target_invalid', 'port 2.5', { port: 2.5 }, /port 2\.5/],
    ['target_invalid', 'an empty host name', { host: '' }, /host name/],
    ['target_invalid', 'a blank host name', { host: ' ' }, /host name/],
  ] as const)('%s for %s', async ([code, , options, message]) => {
    const { signal } = new AbortController();
    const call = execSSHCommand({ port: 9, ...login, ...options, signal });
    await expect(call).rejects.toMatchObject({ name: 'SSHCommandError', code, phase: 'connect' });
    await expect(call).rejects.toThrow(message);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('aborted when the signal comes during the command, and the connection is cut', async ({ onTestFinished }) => {
    const running = Promise.withResolvers<net.Socket>();
    const peer = await startPeer({
      onExec: ({ accept, connection, socket }) => {
        accept();
        // By then the caller has read that the command runs.
        connection.rekey(() => running.resolve(socket));
      },
    });
    onTestFinished(peer.close);
    const controller = new AbortController();
    const call = execSSHCommand({ ...login, port: peer.port, signal: controller.signal });
    const cut = once(await running.promise, 'close');
    controller.abort();
    await expect(call).rejects.toMatchObject({ code: 'aborted', phase: 'command' });
    await cut;
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  });

  const canSuspend = process.platform !== 'win32';
  it.runIf(canSuspend)('stalled when the process was suspended past its deadline', async ({ onTestFinished }) => {
    const greeted = Promise.withResolvers<undefined>();
    const peer = await startPeer((socket) => socket.once('data', () => greeted.resolve(undefined)));
    onTestFinished(peer.close);
    const { child, run } = startExecOnce({ port: peer.port, connectTimeoutMs: 1_000 });
    await greeted.promise;
    child.kill('SIGSTOP');
    // The one wait for time itself: a second to the deadline, two that are tolerated, and a margin.
    await sleep(3_300);
    child.kill('SIGCONT');
    const ended = await run;
    expect(ended.report.outcome).toMatchObject({ ok: false, code: 'stalled', phase: 'handshake' });
    expectNothingLeft(ended);
  });
});

describe('a host name with two addresses', () => {
  it('is not down because the first is slow and the second refuses', async () => {
    // A full queue: the packet that asks for a connection goes unanswered, and is sent again after a second.
    const listen =
      "require('net').createServer((s) => s.destroy()).listen({ host: '127.0.0.1', port: 0, backlog: 1 }, function () { console.log(this.address().port); })";
    const listener = spawn(process.execPath, ['-e', listen], { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => void listener.kill('SIGKILL'));
    const [printed] = (await once(listener.stdout, 'data')) as [Buffer];
    const port = Number(printed.toString());
    listener.kill('SIGSTOP');
    const queue = [1, 2, 3].map(() => net.connect(port, '127.0.0.1').on('error', () => undefined));
    onTestFinished(() => queue.forEach((socket) => socket.destroy()));
    await Promise.all(queue.slice(0, 2).map((socket) => once(socket, 'connect')));

    const addresses = [
      { address: '127.0.0.1', family: 4 },
      { address: '::1', family: 6 },
    ];
    const lookup = vi
      .spyOn(dns, 'lookup')
      .mockImplementation(((_name: string, _options: object, done: unknown) =>
        (done as (error: null, found: typeof addresses) => void)(null, addresses)) as unknown as typeof dns.lookup);
    onTestFinished(() => lookup.mockRestore());
    const outcome = execSSHCommand({ ...login, host: 'vps.example', port });
    setTimeout(() => listener.kill('SIGCONT'), 600);
    await expect(outcome).rejects.toMatchObject({ code: 'reset', phase: 'handshake' });
  });
});
