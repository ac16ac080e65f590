import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addAll, makeLogin, startVps, type SimulatedVps } from './support/fleet.ts';
import { endWith, runNode, scratchEnvironment, startProcess, type RunningProcess } from './support/project.ts';

describe('a server with LOG_FORMAT=json', () => {
  const scratch = scratchEnvironment({ LOG_FORMAT: 'json', HEALTH_CHECK_CRON: '* * * * * *', PORT: '0' });
  let vps: SimulatedVps;
  let server: RunningProcess;
  let privateKey: string;

  beforeAll(async () => {
    const login = makeLogin(scratch.folder);
    ({ privateKey } = login);
    vps = await startVps(login.publicKey);
    await addAll(scratch.environment, login.keyFile, [vps]);
    server = startProcess(process.execPath, ['scripts/start.js'], scratch.environment);
    await server.line(/"level"/);
    await server.line(/sweep completed/);
    await server.line(/Listening on/);
    await vps.host.close();
    await server.line(/circuit breaker TRIPPED/);
    await endWith(server, 'SIGTERM');
  });
  afterAll(() => scratch.remove());

  it('writes one document an event, with level, time and component', () => {
    const lines = server.output().split('\n');
    // What builds the server when it is stale speaks before its settings are read.
    const began = lines.findIndex((line) => line.startsWith('{'));
    const events = lines.slice(began).map((line) => JSON.parse(line) as Record<string, unknown>);
    for (const event of events) {
      expect(Object.keys(event)).toEqual(['level', 'time', 'component', 'msg']);
      expect(event.level).toMatch(/^(info|error)$/);
      expect(new Date(String(event.time)).toISOString()).toBe(event.time);
    }
    const ofMonitor = events.filter(({ component }) => component === 'health-checker');
    expect(ofMonitor.map(({ msg }) => msg)).toContain('health monitor started (schedule: * * * * * *)');
    expect(events.some(({ component, msg }) => component === 'process' && /^Listening on/.test(String(msg)))).toBe(
      true,
    );
  });

  it.each(['json', 'human'])('writes no private key, whoever prints it, as %s', async (format) => {
    const program = `import { createLog, logAsJson } from './src/lib/log.ts';
      const key = process.env.KEY;
      if (process.env.LOG_FORMAT === 'json') {
        await logAsJson();
        console.error(new Error('could not read ' + key));
      }
      createLog('test').error('key ' + key + ' and another ' + key.slice(0, 100));
      createLog('test').info('goes on');`;
    const args = ['--input-type=module', '--eval', program];
    const { exitCode, stdout, stderr } = await runNode(args, { environment: { KEY: privateKey, LOG_FORMAT: format } });
    expect(exitCode).toBe(0);
    const [, body = ''] = privateKey.split('\n');
    for (const printed of [stdout, stderr]) expect(printed).not.toMatch(/PRIVATE KEY|OPENSSH/);
    expect(stderr).not.toContain(body.slice(0, 20));
    expect(stderr).toContain('key [private key, masked] and another [private key, masked]');
    expect(stdout).toContain('goes on');
  });

  it('writes no secret', () => {
    const [, body = ''] = privateKey.split('\n');
    expect(body.length).toBeGreaterThan(40);
    expect(server.output()).not.toContain(body);
    expect(server.output()).not.toMatch(/PRIVATE KEY/);
  });
});
