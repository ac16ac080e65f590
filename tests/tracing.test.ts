import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addAll, makeLogin, startVps, type SimulatedVps } from './support/fleet.ts';
import { startHttpReceiver, type HttpReceiver } from './support/http-receiver.ts';
import { endWith, PROJECT_DIR, scratchEnvironment, startServer } from './support/project.ts';

type Value = { readonly stringValue?: string; readonly intValue?: number | string; readonly boolValue?: boolean };
type Attribute = { readonly key: string; readonly value: Value };
type Span = {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly Attribute[];
};
type Sent = {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly { readonly spans: readonly Span[] }[];
  }[];
};

const factsOf = (attributes: readonly Attribute[]): Record<string, unknown> =>
  Object.fromEntries(
    attributes.map(({ key, value }) => [
      key.replace('wardround.', ''),
      value.stringValue ?? value.boolValue ?? Number(value.intValue),
    ]),
  );

/** The files that are loaded with this one, before anything is asked for. */
function loadedWith(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  const imports = readFileSync(file, 'utf8').matchAll(/^(?:import|export)\b[^;]*?["'](\.[^"']+)["'];?$/gm);
  for (const [, path = ''] of imports) loadedWith(join(dirname(file), path), seen);
  return seen;
}

describe('traces of sweeps', () => {
  const scratch = scratchEnvironment({ HEALTH_CHECK_CRON: '* * * * * *', RESTART_SETTLE_MS: '10' });
  const fleet: SimulatedVps[] = [];
  let ids: readonly string[] = [];
  let collector: HttpReceiver;
  let server: Awaited<ReturnType<typeof startServer>>;
  let privateKey = '';
  const sent = (): Sent[] => collector.requests.map(({ body }) => JSON.parse(body) as Sent);
  const spans = (): Span[] =>
    sent().flatMap(({ resourceSpans }) =>
      resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)),
    );

  beforeAll(async () => {
    const login = makeLogin(scratch.folder);
    ({ privateKey } = login);
    for (const behaviour of [{}, { unit: 'inactive' as const }]) fleet.push(await startVps(login.publicKey, behaviour));
    ids = await addAll(scratch.environment, login.keyFile, fleet);
    collector = await startHttpReceiver();
    collector.answer((response) => void response.writeHead(200, { 'content-type': 'application/json' }).end('{}'));
    server = await startServer({
      ...scratch.environment,
      OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.url}/`,
      OTEL_EXPORTER_OTLP_HEADERS: 'x-tenant=wards',
    });
    await server.line(/recovered \(recovery #1\)/);
    await server.line(/sweep completed/);
    // What has not been sent yet is sent before it ends.
    await endWith(server, 'SIGTERM');
  });
  afterAll(async () => {
    for (const { host } of fleet) await host.close();
    await collector.close();
    scratch.remove();
  });

  it('have a span for the sweep, and in it one for each batch and each restart', () => {
    const [restart] = spans().filter(({ name }) => name === 'restart');
    const sweep = spans().find(({ spanId }) => spanId === restart?.parentSpanId);
    expect(sweep).toMatchObject({ name: 'sweep' });
    expect(sweep?.parentSpanId ?? '').toBe('');
    expect(factsOf(restart?.attributes ?? [])).toEqual({ vps: ids[1], asked_by: 'monitor', outcome: 'succeeded' });
    expect(factsOf(sweep?.attributes ?? [])).toEqual({
      vpss: 2,
      healthy: 2,
      unhealthy: 0,
      maintenance: 0,
      unchecked: 0,
      restarted: 1,
      interrupted: false,
      saved: true,
    });
    const [batch] = spans().filter(({ name, parentSpanId }) => name === 'batch' && parentSpanId === sweep?.spanId);
    expect(factsOf(batch?.attributes ?? [])).toEqual({ vpss: 2, again: false });
    expect(batch?.traceId).toBe(sweep?.traceId);
    expect(BigInt(sweep?.endTimeUnixNano ?? 0)).toBeGreaterThan(BigInt(batch?.startTimeUnixNano ?? 0));
  });

  it('go to the traces of the collector, with the headers that it wants, and say whose they are', () => {
    for (const { method, path, headers } of collector.requests)
      expect([method, path, headers['x-tenant']]).toEqual(['POST', '/v1/traces', 'wards']);
    const resource = factsOf(sent()[0]?.resourceSpans[0]?.resource.attributes ?? []);
    expect(resource).toMatchObject({ 'service.name': 'wardround' });
  });

  it('name no customer, host, path or key', () => {
    const everything = collector.requests.map(({ body }) => body).join('\n');
    expect(everything).not.toMatch(/example\.test|127\.0\.0\.1|PRIVATE KEY|user-|wardround\.db/);
    expect(everything).not.toContain(privateKey.split('\n')[1]);
  });

  it('that do not get through are told of once, and sweeps go on', async () => {
    collector.answer((response) => void response.writeHead(400).end('go away'));
    const failing = await startServer({ ...scratch.environment, OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
    await failing.line(/\[tracing\] traces do not get through \(setting OTEL_EXPORTER_OTLP_ENDPOINT\)/);
    const before = collector.requests.length;
    await expect.poll(() => collector.requests.length, { timeout: 30_000 }).toBeGreaterThan(before + 1);
    expect(failing.output().match(/do not get through/g)).toHaveLength(1);
    expect(failing.output().match(/sweep completed/g)?.length).toBeGreaterThan(1);
    expect(await endWith(failing, 'SIGTERM')).toBe(0);
  });

  it('cost a server without the setting nothing: what sends them is not loaded', () => {
    const entries = join(PROJECT_DIR, 'build/server/chunks/entries');
    const [hooks = ''] = readdirSync(entries).filter((name) => /^hooks.*\.js$/.test(name));
    const loaded = [...loadedWith(join(entries, hooks), loadedWith(join(PROJECT_DIR, 'build/index.js')))];
    expect(loaded.filter((file) => readFileSync(file, 'utf8').includes('OTEL_EXPORTER_OTLP_ENDPOINT'))).not.toEqual([]);
    expect(loaded.filter((file) => /OTLPTraceExporter|BatchSpanProcessor/.test(readFileSync(file, 'utf8')))).toEqual(
      [],
    );
  });
});
