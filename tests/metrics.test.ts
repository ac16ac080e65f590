import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeLogin, addAll, startVps, type SimulatedVps } from './support/fleet.ts';
import { endWith, scratchEnvironment, startServer } from './support/project.ts';

type Server = Awaited<ReturnType<typeof startServer>>;

/** Series of an exposition by name and labels, as they stand there. */
const seriesOf = (text: string): Map<string, number> =>
  new Map(
    text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  );

/** As a program that can send any header, Host among them. */
const get = (url: string, headers: Record<string, string> = {}) =>
  new Promise<{ status: number; body: string; challenge: string | undefined }>((resolve, reject) => {
    request(url, { headers }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body, challenge: response.headers['www-authenticate'] }),
      );
    })
      .on('error', reject)
      .end();
  });

describe('a server that watches three VPSs', () => {
  const scratch = scratchEnvironment({
    HEALTH_CHECK_CRON: '*/2 * * * * *',
    RESTART_SETTLE_MS: '10',
    SSH_CONNECT_TIMEOUT_MS: '2000',
  });
  const fleet: SimulatedVps[] = [];
  let server: Server;
  let text = '';

  beforeAll(async () => {
    const login = makeLogin(scratch.folder);
    for (const behaviour of [{}, { unit: 'inactive' as const, bus: 'start' as const }, {}])
      fleet.push(await startVps(login.publicKey, behaviour));
    await addAll(scratch.environment, login.keyFile, fleet);
    const [, told, gone] = fleet;
    await gone?.host.close();
    server = await startServer(scratch.environment);
    await server.line(/recovered \(recovery #1\)/);
    await server.line(/circuit breaker TRIPPED/);
    if (told) told.machine.unit = 'failed';
    await server.line(/recovered \(recovery #2\)/);
    ({ body: text } = await get(`${server.url}/metrics`));
  });
  afterAll(async () => {
    await endWith(server, 'SIGKILL');
    for (const { host } of fleet.filter((_, index) => index !== 2)) await host.close();
    scratch.remove();
  });

  it('counts what it does', () => {
    const series = seriesOf(text);
    expect(series.get('wardround_vpss{state="healthy",circuit="closed"}')).toBe(2);
    expect(series.get('wardround_vpss{state="down",circuit="open"}')).toBe(1);
    expect(series.get('wardround_vpss{state="unchecked",circuit="closed"}')).toBe(0);
    expect(series.get('wardround_looks_total{link="fresh",outcome="not_active"}')).toBe(1);
    expect(series.get('wardround_looks_total{link="fresh",outcome="unreachable"}')).toBeGreaterThanOrEqual(3);
    expect(series.get('wardround_looks_total{link="kept",outcome="healthy"}')).toBeGreaterThanOrEqual(2);
    expect(series.get('wardround_looks_total{link="bus",outcome="healthy"}')).toBeGreaterThanOrEqual(1);
    expect(series.get('wardround_looks_total{link="bus",outcome="not_active"}')).toBeGreaterThanOrEqual(1);
    expect(series.get('wardround_looks_total{link="none",outcome="inconclusive"}')).toBe(0);
    expect(series.get('wardround_look_duration_seconds_count{link="kept"}')).toBeGreaterThanOrEqual(2);
    expect(series.get('wardround_news_total')).toBeGreaterThanOrEqual(1);
    expect(series.get('wardround_links_open{link="kept"}')).toBe(1);
    expect(series.get('wardround_links_open{link="bus"}')).toBe(1);
    expect(series.get('wardround_restarts_total{outcome="succeeded",asked_by="monitor"}')).toBe(2);
    expect(series.get('wardround_heal_duration_seconds_count')).toBe(2);
    expect(series.get('wardround_sweep_duration_seconds_count{result="completed"}')).toBeGreaterThanOrEqual(2);
    expect(series.get('wardround_last_sweep_age_seconds')).toBeLessThan(60);
    expect(series.get('wardround_sweep_valid_seconds')).toBe(30);
    expect(series.get('wardround_monitor_role{role="sweeping"}')).toBe(1);
    expect(series.get('wardround_healing_enabled')).toBe(1);
    expect(series.get('wardround_outage')).toBe(0);
    expect(series.get('wardround_database_size_bytes{file="main"}')).toBeGreaterThan(100_000);
    // No mail is set up: what is to be said waits.
    expect(series.get('wardround_outbox_messages{channel="email"}')).toBeGreaterThan(0);
    expect(series.get('wardround_outbox_oldest_seconds{channel="email"}')).toBeLessThan(120);
    expect(series.get('wardround_event_loop_delay_seconds{stat="max"}')).toBeGreaterThanOrEqual(0);
  });

  it('names no customer, host or key, and nothing but what stands in a list', () => {
    expect(text).not.toMatch(/example\.test|127\.0\.0\.1|vps-|user-/);
    expect(seriesOf(text).size).toBeLessThan(250);
  });

  it('speaks as promtool wants it', () => {
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
    expect({ status, said: stdout + stderr }).toEqual({ status: 0, said: '' });
  });

  it('has every metric that the alert rules and the dashboard use, and they use every one', () => {
    const names = new Set([...seriesOf(text).keys()].map((key) => key.replace(/\{.*/, '')));
    const used = (file: string): string[] => readFileSync(file, 'utf8').match(/\b(wardround|process)_[a-z_]+\b/g) ?? [];
    const inAlerts = used('ops/prometheus/alerts.yml');
    const inDashboard = used('ops/grafana/wardround.json');
    expect(inAlerts.length).toBeGreaterThan(10);
    expect([...inAlerts, ...inDashboard].filter((name) => !names.has(name))).toEqual([]);
    // What nobody looks at need not be measured; a histogram is seen by its buckets.
    const measured = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) =>
      type === 'histogram' ? `${name}_bucket` : (name ?? ''),
    );
    const seen = new Set([...inAlerts, ...inDashboard, 'process_start_time_seconds']);
    expect(measured.filter((name) => !seen.has(name))).toEqual([]);
  });

  it('has rules and labels that Prometheus understands', () => {
    const { status, stdout } = spawnSync('promtool', ['check', 'rules', 'ops/prometheus/alerts.yml'], {
      encoding: 'utf8',
    });
    expect({ status, stdout }).toMatchObject({ status: 0, stdout: expect.stringContaining('SUCCESS') });
    const labels = new Set([...text.matchAll(/([a-z_]+)="([^"]*)"/g)].map(([pair]) => pair));
    const asked = ['ops/prometheus/alerts.yml', 'ops/grafana/wardround.json']
      .flatMap((file) => [...readFileSync(file, 'utf8').matchAll(/([a-z_]+)(=~|=|!=)\\?"([a-z0-9_|]+)\\?"/g)])
      .filter(([, label]) => label !== 'job')
      .flatMap(([, label, , values = '']) => values.split('|').map((value) => `${label}="${value}"`));
    expect(asked.length).toBeGreaterThan(5);
    expect(asked.filter((pair) => !labels.has(pair))).toEqual([]);
  });

  it('is read once in five seconds, however often it is asked', async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, () => get(`${server.url}/metrics`)));
    expect(new Set(answers.map(({ body }) => body)).size).toBeLessThanOrEqual(2);
  });

  it.each([
    [{ 'x-forwarded-for': '127.0.0.1' }],
    [{ forwarded: 'for=127.0.0.1' }],
    [{ via: '1.1 proxy' }],
    [{ host: 'rebound.example' }],
  ])('gives nothing to whoever comes with %j', async (headers) => {
    const { status, body } = await get(`${server.url}/metrics`, headers);
    expect({ status, told: body.includes('wardround_') }).toEqual({ status: 403, told: false });
  });
});

describe('a server with METRICS_TOKEN', () => {
  const token = 'f'.repeat(32);
  const scratch = scratchEnvironment({ ENABLE_HEALTH_MONITOR: 'false', METRICS_TOKEN: token });
  let server: Server;
  beforeAll(async () => {
    server = await startServer(scratch.environment);
  });
  afterAll(async () => {
    await endWith(server, 'SIGKILL');
    scratch.remove();
  });

  it('gives its metrics to whoever bears it, through a proxy too, and to nobody else', async () => {
    const url = `${server.url}/metrics`;
    const with_ = (authorization: string) => get(url, { authorization, 'x-forwarded-for': '203.0.113.9' });
    expect(await with_(`Bearer ${token}`)).toMatchObject({ status: 200 });
    expect(await get(url)).toMatchObject({ status: 401, challenge: 'Bearer' });
    expect(await with_(`Bearer ${token}f`)).toMatchObject({ status: 401 });
    expect(server.output()).not.toContain(token);
  });
});
