import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAdmin, signIn } from './support/accounts.ts';
import { addAll, makeLogin, startVps, type SimulatedVps } from './support/fleet.ts';
import { endWith, scratchEnvironment, startServer } from './support/project.ts';
import { discover } from './support/routes.ts';

const FORM = 'application/x-www-form-urlencoded';
const part = (name: string, value: string, more = ''): string =>
  `--b\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n${value}\r\n`;

/** Bodies that no form of a page sends, by what is wrong with them. */
const MALFORMED: Readonly<Record<string, { readonly type?: string; readonly body: string | Uint8Array<ArrayBuffer> }>> =
  {
    'plain text': { type: 'text/plain', body: 'email=a@example.test' },
    'plain text that says more': { type: 'text/plain; boundary=b', body: part('email', 'a') },
    JSON: { type: 'application/json', body: '{"email":"a@example.test"}' },
    'JSON that breaks off': { type: 'application/json', body: '{' },
    bytes: { type: 'application/octet-stream', body: new Uint8Array([0, 255, 1]) },
    'no content type': { body: new Uint8Array([97, 61, 98]) },
    'a content type that is none': { type: ';;;', body: 'a=b' },
    'two content types': { type: `${FORM}, multipart/form-data`, body: 'a=b' },
    'multipart without boundary': { type: 'multipart/form-data', body: `${part('email', 'a')}--b--\r\n` },
    'multipart with an empty boundary': { type: 'multipart/form-data; boundary=', body: `${part('email', 'a')}--b--` },
    'multipart with another boundary': { type: 'multipart/form-data; boundary=c', body: `${part('email', 'a')}--b--` },
    'multipart that breaks off': { type: 'multipart/form-data; boundary=b', body: part('email', 'a').slice(0, -8) },
    'multipart without a name': {
      type: 'multipart/form-data; boundary=b',
      body: '--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n',
    },
    'multipart of noise': { type: 'multipart/form-data; boundary=b', body: new Uint8Array(1000).fill(0xfe) },
    'too large a form': { type: FORM, body: `email=${'x'.repeat(600_000)}` },
  };

/** Forms of the right kind with values that no page sends: they are read, and judged like any other. */
const ODD: Readonly<Record<string, { readonly type: string; readonly body: string }>> = {
  'bytes that are no text': { type: FORM, body: 'email=%E0%A4%A&name=%ED%A0%80&host=%00&=&&%=%&port=%FF' },
  'names of object properties': { type: FORM, body: '__proto__=1&constructor=2&toString=3&hasOwnProperty=4' },
  'each field twice': { type: FORM, body: 'email=a&email=b&password=c&password=d&id=1&id=2&kind=x&kind=y&enabled=on' },
  'huge numbers': { type: FORM, body: 'port=1e999&duration=99999999999999999999h&until=999999999-01-01&version=1e400' },
  'files for text': {
    type: 'multipart/form-data; boundary=b',
    body: `${['email', 'password', 'host', 'port', 'id', 'name', 'reason'].map((name) => part(name, 'x', '; filename="x"')).join('')}--b--\r\n`,
  },
};

/** What stands for an action in an address, and is none. */
const NO_ACTIONS = [
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'valueOf',
  'default',
  '',
  'nope',
  '%00',
  '../x',
];

/** Addresses that a page does not lead to. */
const ODD_PATHS = [
  '/%E0%A4%A',
  '/%00',
  '/vps/%00',
  '/vps/__proto__',
  '/vps/%2e%2e%2f',
  '/incidents/__proto__',
  '/incidents/%F0%28%8C%28',
  '/status/__proto__',
  '/status/%00/badge.svg',
  '/vps/new/__data.json?x-sveltekit-invalidated=zzz',
  '/__data.json?x-sveltekit-invalidated=11111111111111111111&x-sveltekit-trailing-slash=2',
  '/?q=%00&sort=__proto__&dir=constructor&status=toString&page=1e999',
  '/fleet/rows?from=-1&to=1e999&offset=NaN&start=99999999999999999999&q=%ED%A0%80',
  '/incidents?from=9999999-99-99&to=x&status=__proto__&cause=constructor&page=-1&q=%00',
  '/incidents/export?from=275760-09-14&to=-271821-04-19&status=__proto__',
  '/settings/users?q=%00%25_&page=1e99',
  '/sign-in?next=%E0%A4%A&done=__proto__',
  '/account?done=constructor',
  '/account/notifications?done=__proto__',
  '/reset-password?token=%00',
  '/welcome?token=%ED%A0%80',
  '/_app/remote/x',
  '/_app/immutable/../../../etc/passwd',
];

describe('what no browser sends', () => {
  const scratch = scratchEnvironment({ ENABLE_HEALTH_MONITOR: 'false' });
  let server: Awaited<ReturnType<typeof startServer>>;
  let vps: SimulatedVps;
  let vpsId = '';
  let cookie = '';
  beforeAll(async () => {
    const login = makeLogin(scratch.folder);
    vps = await startVps(login.publicKey, {});
    [vpsId = ''] = await addAll(scratch.environment, login.keyFile, [vps]);
    await createAdmin(scratch.environment);
    server = await startServer(scratch.environment);
    cookie = await signIn(server.url);
  });
  afterAll(async () => {
    await endWith(server, 'SIGKILL');
    await vps.host.close();
    scratch.remove();
  });

  const send = async (method: string, path: string, { type, body }: { type?: string; body?: BodyInit }) => {
    const headers = { origin: server.url, accept: 'text/html', cookie, ...(type && { 'content-type': type }) };
    const response = await fetch(server.url + path, { method, headers, redirect: 'manual', ...(body && { body }) });
    const text = response.headers.get('content-type') === 'text/event-stream' ? '' : await response.text();
    await response.body?.cancel().catch(() => undefined);
    return { status: response.status, text };
  };
  const pathOf = (route: string): string =>
    route
      .replace('[id]', vpsId)
      .replace('[token]', 'none')
      .replace(/^POST /, '');
  const forms = discover().filter((one) => one.startsWith('POST '));
  /** What the server has logged as its own fault. */
  const faults = (): string[] =>
    server
      .output()
      .split('\n')
      .filter((line) => line.startsWith('[web]') || /^\s+at /.test(line));

  it.each(forms)('as the body of %s is refused with the reason', async (form) => {
    for (const [what, given] of Object.entries(MALFORMED)) {
      const { status, text } = await send('POST', pathOf(form), given);
      const expected = what === 'too large a form' ? 413 : /multipart (with|that|of)/.test(what) ? 400 : 415;
      expect({ what, status }).toEqual({ what, status: expected });
      expect(text).not.toMatch(/Internal Error|\bat file:|node_modules/);
    }
    expect(faults()).toEqual([]);
  });

  // Signing out would end the session that asks.
  it.each(forms.filter((form) => form !== 'POST /sign-out'))(
    'as the fields of %s is judged like any other',
    async (form) => {
      for (const [what, given] of Object.entries(ODD)) {
        const { status } = await send('POST', pathOf(form), given);
        expect({ what, isServed: status < 500 || status === 503 }).toEqual({ what, isServed: true });
      }
      expect(faults()).toEqual([]);
    },
  );

  it.each(['/', '/sign-in', '/account', '/settings', '/settings/users', '/incidents', '/vps/[id]/actions', '/welcome'])(
    'as the name of an action of %s is not found',
    async (route) => {
      for (const name of NO_ACTIONS) {
        const { status } = await send('POST', `${pathOf(route)}?/${name}`, { type: FORM, body: 'a=b' });
        expect({ name, status }).toEqual({ name, status: 404 });
      }
      const two = await send('POST', `${pathOf(route)}?/nope&/__proto__`, { type: FORM, body: 'a=b' });
      expect(two.status).toBe(404);
      expect(faults()).toEqual([]);
    },
  );

  it('as an address or a method gets an answer of its own', async () => {
    for (const path of ODD_PATHS) {
      const { status } = await send('GET', path, {});
      expect({ path, isServed: status < 500 }).toEqual({ path, isServed: true });
    }
    for (const method of ['PUT', 'PATCH', 'DELETE', 'OPTIONS'])
      for (const path of ['/', '/sign-in', '/theme', '/live', `/vps/${vpsId}`, '/nowhere']) {
        const { status } = await send(method, path, { type: FORM, body: 'a=b' });
        expect({ method, path, isServed: status < 500 }).toEqual({ method, path, isServed: true });
      }
    expect(faults()).toEqual([]);
  });

  it('as a cookie is no session', async () => {
    const own = cookie;
    for (const odd of ['%E0%A4%A', '%', '.', 'a.b', '"', '\u00ff'.repeat(10), 'x'.repeat(4000), '{}', '__proto__'])
      for (const name of ['wardround.session_token', 'wardround.two_factor', 'wardround.device', 'wardround.theme']) {
        cookie = `${name}=${odd}`;
        for (const path of ['/sign-in', '/sign-in/second-factor']) {
          const { status } = await send('GET', path, {});
          const posted = await send('POST', path, { type: FORM, body: 'email=a@example.test&password=b&code=123456' });
          expect({ odd, name, path, isServed: status < 500 && (posted.status < 500 || posted.status === 503) }).toEqual(
            {
              odd,
              name,
              path,
              isServed: true,
            },
          );
        }
      }
    cookie = own;
    expect(faults()).toEqual([]);
  });
});
