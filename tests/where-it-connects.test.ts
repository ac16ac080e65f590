import dns from 'node:dns';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import * as z from 'zod/mini';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { newKeyPair } from '../demo/key-pair.ts';
import type { App } from '../src/lib/app.ts';
import { LOCAL_OPERATOR } from '../src/lib/auth/actor.ts';
import { editVps } from '../src/lib/fleet-admin/edit-vps.ts';
import { sendHttp } from '../src/lib/notifications/http-request.ts';
import { host as hostField } from '../src/lib/parsing/network-fields.ts';
import { parse } from '../src/lib/parsing/parse.ts';
import { execSSHCommand } from '../src/lib/provisioning/ssh-exec.ts';
import { SSHCommandError } from '../src/lib/provisioning/ssh-failure.ts';
import { addTestVps, openScratchApp, stateOf, sweepOnce } from './support/scratch-app.ts';

/** Ways to write addresses that nothing may connect to unless a setting allows it. */
const SPELLINGS = [
  // Loopback: as it is, elsewhere in its network, short, octal, hexadecimal, decimal, with a dot at its end.
  ...['127.0.0.1', '127.0.0.53', '127.255.255.254', '127.1', '127.0.1', '127.0.0.1.', '127.1.', '0177.0.0.1', '0177.1'],
  ...[
    '00000177.0.0.1',
    '017700000001',
    '0x7f.0.0.1',
    '0x7f.1',
    '0X7F.0.0.1',
    '0x7f000001',
    '0x7F000001.',
    '2130706433',
  ],
  ...['2130706433.', '127.0x1', '0x7f.0x0.0x0.0x1', '0177.0x0.0.01', '127.00.00.01', '127.0.0.0x1'],
  // The same in IPv6, in IPv6 that stands for IPv4, with a zone, in brackets.
  ...['::1', '0:0:0:0:0:0:0:1', '0000:0000:0000:0000:0000:0000:0000:0001', '[::1]', '::1%lo', '[::1%lo]', '::0:1'],
  ...[
    '::ffff:127.0.0.1',
    '::FFFF:7F00:1',
    '[::ffff:127.0.0.1]',
    '::ffff:7f00:0001',
    '0:0:0:0:0:ffff:7f00:1',
    '::127.0.0.1',
  ],
  ...['::ffff:0:127.0.0.1', '64:ff9b::127.0.0.1', '64:ff9b::7f00:1', '2002:7f00:1::', '2002:7f00:0001::1'],
  // Names that lead there.
  ...['localhost', 'localhost.', 'LOCALHOST', 'LocalHost.', 'ip6-localhost'],
  // Unspecified, which most systems connect to themselves.
  ...[
    '0.0.0.0',
    '0',
    '0.',
    '00',
    '0x0',
    '0.0',
    '0x0.0x0',
    '0000.0.0.0',
    '::',
    '[::]',
    '0::0',
    '::ffff:0.0.0.0',
    '::0.0.0.0',
  ],
  // Link-local, and where clouds keep secrets.
  ...[
    '169.254.169.254',
    '169.254.1.1',
    '169.254.169.254.',
    '0xa9fea9fe',
    '2852039166',
    '0251.0376.0251.0376',
    '169.254.43518',
  ],
  ...[
    '[::ffff:169.254.169.254]',
    '::ffff:a9fe:a9fe',
    '64:ff9b::a9fe:a9fe',
    'fe80::1',
    'fe80::1%lo',
    '[fe80::1%1]',
    'FE80::A9FE:A9FE',
  ],
  ...['fd00:ec2::254', '100.100.100.200', '168.63.129.16', '192.0.0.192'],
];

const { private: privateKey } = newKeyPair();
let server: Server;
let dialled = 0;
let port = 0;

beforeAll(async () => {
  // On every address of this machine, so that whatever is dialled here is noticed.
  server = createServer((socket) => {
    dialled += 1;
    socket.on('error', () => undefined).destroy();
  });
  await once(server.listen(0, '::'), 'listening');
  ({ port } = server.address() as AddressInfo);
});
afterAll(() => once(server.close(), 'close'));
beforeEach(() => {
  dialled = 0;
});

/** What becomes of a host that somebody has typed in. */
async function dialOverSSH(typed: string, reach: 'private' | 'any'): Promise<string> {
  const parsed = parse(z.object({ host: hostField }), { host: typed });
  if ('problems' in parsed) return 'not taken';
  const login = { host: parsed.value.host, port, privateKey, command: 'true', reach };
  try {
    await execSSHCommand({ ...login, connectTimeoutMs: 5_000, commandTimeoutMs: 1_000 });
    return 'done';
  } catch (error) {
    return error instanceof SSHCommandError ? error.code : 'thrown';
  }
}

const callWebhook = (host: string, reach: 'private' | 'any') =>
  sendHttp(
    {
      method: 'POST',
      url: `http://${host.includes(':') && !host.startsWith('[') ? `[${host}]` : host}:${port}/`,
      body: '{}',
      reach,
    },
    { signal: new AbortController().signal, timeoutMs: 5_000 },
  );

describe(`each of ${SPELLINGS.length} spellings of an address within`, () => {
  it('are at least sixty', () => {
    expect(new Set(SPELLINGS).size).toBe(SPELLINGS.length);
    expect(SPELLINGS.length).toBeGreaterThanOrEqual(60);
  });

  it.each(SPELLINGS)('%s is not dialled over SSH, whatever it is stored as', async (spelling) => {
    expect(await dialOverSSH(spelling, 'private')).toMatch(/^(not taken|address_refused|dns)$/);
    // As a row of the database may have it that was written before names were read as strictly.
    const login = { host: spelling, port, privateKey, command: 'true', reach: 'private' } as const;
    const refused: unknown = await execSSHCommand({ ...login, connectTimeoutMs: 5_000, commandTimeoutMs: 1_000 }).catch(
      (error: unknown) => error,
    );
    expect(refused).toMatchObject({ code: expect.stringMatching(/^(address_refused|dns)$/) as string, sent: false });
    expect(dialled).toBe(0);
  });

  it.each(SPELLINGS)('%s is not called as a webhook', async (spelling) => {
    const result = await callWebhook(spelling, 'private');
    expect(result).toMatchObject({ kind: 'no_answer', sure: true });
    expect(dialled).toBe(0);
  });
});

it('is dialled where the setting allows it: the listener hears what comes', async () => {
  expect(await dialOverSSH('127.0.0.1', 'any')).toBe('reset');
  await expect.poll(() => dialled).toBe(1);
  expect(await dialOverSSH('LocalHost', 'any')).toBe('reset');
  await callWebhook('2130706433', 'any');
  await expect.poll(() => dialled).toBe(3);
});

it('is judged at each dial: a name that leads elsewhere by then is not followed', async () => {
  const answers = [['127.0.0.1'], ['192.0.2.1'], ['127.0.0.1']];
  const { lookup } = dns;
  // The one resolver of the process: what getaddrinfo(3) would say of a name whose owner changes it.
  Object.assign(dns, {
    lookup: (_name: string, _options: unknown, done: (...args: unknown[]) => void) =>
      setImmediate(
        done,
        null,
        (answers.shift() ?? []).map((address) => ({ address, family: 4 })),
      ),
  });
  try {
    const target = { host: 'rebinds.example', port, privateKey, command: 'true' };
    const limits = { connectTimeoutMs: 200, commandTimeoutMs: 200 };
    const codes: unknown[] = [];
    for (const reach of ['any', 'private', 'private'] as const)
      codes.push(
        await execSSHCommand({ ...target, ...limits, reach }).catch(
          (error: unknown) => (error as SSHCommandError).code,
        ),
      );
    expect(codes).toEqual([
      'reset',
      expect.stringMatching(/^(timeout|unreachable|refused|local_limit)$/),
      'address_refused',
    ]);
    await expect.poll(() => dialled).toBe(1);
  } finally {
    Object.assign(dns, { lookup });
  }
});

describe('a VPS', () => {
  const add = (app: App, host: string) => addTestVps(app, { host, port, privateKey });

  it('is not saved at an address that may not be dialled, new or edited', async () => {
    const scratch = await openScratchApp({ ALLOWED_ADDRESSES: 'private' });
    onTestFinished(() => scratch.close());
    const { app } = scratch;
    for (const host of ['127.0.0.1', '::ffff:169.254.169.254', 'localhost'])
      await expect(add(app, host)).rejects.toThrow(
        / is an address .*, which the setting ALLOWED_ADDRESSES does not allow$/,
      );
    const { id } = await add(app, '10.9.8.7');
    const edit = {
      email: '',
      name: null,
      host: 'localhost',
      port,
      user: 'root',
      service: null,
      hostKey: null,
      labels: [],
      note: null,
      privateKey: null,
      toKey: 'own' as const,
    };
    await expect(editVps(app, LOCAL_OPERATOR, id, edit)).rejects.toThrow('loopback');
    await editVps(app, LOCAL_OPERATOR, id, { ...edit, host: '10.9.8.6' });
  });

  it('that leads within by now counts as our fault, and admins are told', async () => {
    const scratch = await openScratchApp();
    onTestFinished(() => scratch.close());
    const { userId } = await add(scratch.app, '127.0.0.1');
    const app = { ...scratch.app, settings: { ...scratch.app.settings, allowedAddresses: 'private' as const } };
    await sweepOnce(app);
    expect(dialled).toBe(0);
    expect(stateOf(app, userId)).toMatchObject({
      status: 'healthy',
      lastErrorCode: 'address_refused',
      consecutiveFailures: 0,
      lastError: expect.stringContaining('127.0.0.1 is an address of this machine itself (loopback)') as string,
    });
  });
});
