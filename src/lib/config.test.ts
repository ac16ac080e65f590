import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parseSettings } from './config.ts';
import { ConfigurationError, type Environment } from './environment.ts';
import { DEFAULTS } from './variables.ts';

const problemsOf = (environment: Environment): readonly string[] => {
  try {
    parseSettings(environment);
    return [];
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems;
    throw error;
  }
};

describe('settings', () => {
  it('stand in .env.example, each with its default, and nothing else does', () => {
    expect(parseEnv(readFileSync('.env.example', 'utf8'))).toEqual(DEFAULTS);
  });

  it('are those of the contract when nothing is set', () => {
    expect(parseSettings({})).toMatchObject({
      databasePath: resolve('data/wardround.db'),
      monitorEnabled: false,
      healthCheckCron: '*/1 * * * *',
      batchSize: 5,
      maxSockets: 300,
      monitoredService: 'rachel8',
      connectTimeoutMs: 10_000,
      commandTimeoutMs: 10_000,
      restartSettleMs: 3_000,
      breaker: { maxConsecutiveFailures: 3, cooldownMs: 1_800_000 },
      restartBudget: { maxRestarts: 5, windowMs: 1_800_000 },
      gracePeriodMs: 7 * 86_400_000,
    });
  });

  it.each([
    [{ NODE_ENV: 'production' }, true],
    [{ NODE_ENV: 'development' }, false],
    [{ NODE_ENV: 'production', ENABLE_HEALTH_MONITOR: 'false' }, false],
    [{ NODE_ENV: 'development', ENABLE_HEALTH_MONITOR: 'true' }, true],
    [{ ENABLE_HEALTH_MONITOR: ' TRUE ' }, true],
  ])('turn the monitor on or off: %o → %s', (environment, enabled) => {
    expect(parseSettings(environment).monitorEnabled).toBe(enabled);
  });

  it('take a database path with or without file:', () => {
    expect(parseSettings({ DATABASE_URL: 'file:x/y.db' }).databasePath).toBe(resolve('x/y.db'));
    expect(parseSettings({ DATABASE_URL: 'file:///tmp/y.db' }).databasePath).toBe('/tmp/y.db');
    expect(parseSettings({ DATABASE_URL: '/tmp/y.db' }).databasePath).toBe('/tmp/y.db');
  });

  it('report every problem in one message: name, what was given, what is allowed', () => {
    const problems = problemsOf({
      HEALTH_CHECK_CRON: 'every minute',
      HEALTH_CHECK_BATCH_SIZE: '0',
      MONITORED_SERVICE: 'rachel8; reboot',
      SSH_CONNECT_TIMEOUT_MS: '10s',
      ENABLE_HEALTH_MONITOR: 'yes please',
      DATABASE_URL: 'postgres://db',
      PORT: '70000',
    });
    expect(problems).toHaveLength(7);
    expect(problems).toContain('HEALTH_CHECK_BATCH_SIZE is "0"; allowed: a whole number of VPSs from 1 to 100');
    expect(problems).toContain(
      'SSH_CONNECT_TIMEOUT_MS is "10s"; allowed: a whole number of milliseconds from 100 to 120000',
    );
  });

  it('name what was given in HOST and PORT, and what is allowed', () => {
    expect(problemsOf({ PORT: 'abc', HOST: 'a b' })).toEqual([
      'HOST is "a b"; allowed: an IP address or a host name, without user or port',
      'PORT is "abc"; allowed: a whole number from 0 to 65535',
    ]);
  });

  it.each([
    [{}, '127.0.0.1'],
    [{ HOST: '0.0.0.0' }, '0.0.0.0'],
    [{ HOST: '[::1]' }, '::1'],
    [{ HOST: '::' }, '::'],
    [{ HOST: 'localhost' }, 'localhost'],
  ])('know where the server listens: %o → %s', (environment, host) => {
    expect(parseSettings(environment).listen).toEqual({ host, port: 3000 });
  });

  it('show a piece of what has no end', () => {
    const [problem = ''] = problemsOf({ PORT: '9'.repeat(100_000) });
    expect(problem.length).toBeLessThan(200);
  });

  it.each([
    [{ PORT: '3001' }, 'http://localhost:3001'],
    [{ ORIGIN: 'https://wardround.example' }, 'https://wardround.example'],
  ])('know the address that links start with: %o → %s', (environment, origin) => {
    expect(parseSettings(environment).origin).toBe(origin);
  });

  it.each([
    { ORIGIN: 'wardround.example' },
    { ORIGIN: 'https://wardround.example/path' },
    { ORIGIN: 'ftp://wardround.example' },
    { ORIGIN: 'https://user@wardround.example' },
    { PORT: 'abc' },
    { PORT: '3000.5' },
    { HOST: 'http://127.0.0.1' },
    { HOST: '127.0.0.1:3000' },
    { HOST: '256.0.0.1' },
    { BODY_SIZE_LIMIT: 'much' },
    { HEADERS_TIMEOUT: '5s' },
    { ADDRESS_HEADER: 'X Forwarded For' },
    { XFF_DEPTH: '0' },
  ])('refuse %o', (environment) => {
    expect(problemsOf(environment)).toHaveLength(1);
  });

  it.each(['*/1 * * * *', '*/10 * * * * *', '0 9-17 * * 1-5'])('take the cron expression %s', (cron) => {
    expect(problemsOf({ HEALTH_CHECK_CRON: cron })).toEqual([]);
  });

  it.each(['* * * *', '* * * * * * *', '61 * * * *', '@reboot', '*/0 * * * *'])(
    'refuse the cron expression %s',
    (cron) => {
      expect(problemsOf({ HEALTH_CHECK_CRON: cron })).toHaveLength(1);
    },
  );

  it.each(['-x', 'a b', 'a;b', 'a$(b)', "a'b", 'a|b', 'ä', ''.padEnd(300, 'a')])(
    'refuse %s as a unit name: it becomes part of a command',
    (unit) => {
      expect(problemsOf({ MONITORED_SERVICE: unit })).toHaveLength(1);
    },
  );

  it.each([
    [{ SMTP_URL: 'mail.example.com' }, 'SMTP_URL'],
    [{ SMTP_URL: 'http://user:HUNTER2@mail.example.com' }, 'SMTP_URL'],
    [{ SMTP_URL: 'smtp//user:HUNTER2@mail.example.com' }, 'SMTP_URL'],
    [{ HEARTBEAT_URL: 'ftp://user:HUNTER2@example.com' }, 'HEARTBEAT_URL'],
    [{ DATABASE_URL: 'postgres://user:HUNTER2@db.example.com/wardround' }, 'DATABASE_URL'],
    [{ ORIGIN: 'https://user:HUNTER2@wardround.example' }, 'ORIGIN'],
    [{ PUBLIC_URL: 'wardround.example.com' }, 'PUBLIC_URL'],
    [{ BASE_PATH: 'wardround' }, 'BASE_PATH'],
    [{ BASE_PATH: '/wardround/' }, 'BASE_PATH'],
    [{ BASE_PATH: '/' }, 'BASE_PATH'],
    [{ BASE_PATH: '/a b' }, 'BASE_PATH'],
    [{ TELEGRAM_API_URL: 'smtp://example.com' }, 'TELEGRAM_API_URL'],
    [{ MAIL_FROM: 'a@b.c, d@e.f' }, 'MAIL_FROM'],
    [{ MAIL_FROM: 'Ward\nround <a@b.c>' }, 'MAIL_FROM'],
    [{ NOTIFY_DIGEST_THRESHOLD: '0' }, 'NOTIFY_DIGEST_THRESHOLD'],
    [{ NOTIFY_DIGEST_WINDOW_MS: '1h' }, 'NOTIFY_DIGEST_WINDOW_MS'],
  ])('refuse %o by name, and show no password', (environment, name) => {
    const problems = problemsOf(environment);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(`${name} is `);
    expect(problems[0]).not.toContain('HUNTER2');
  });

  it('link to the pages where they are', () => {
    const publicUrl = (environment: Environment): string => parseSettings(environment).notifications.publicUrl;
    expect(publicUrl({})).toBe('http://localhost:3000');
    expect(publicUrl({ PORT: '3001' })).toBe('http://localhost:3001');
    expect(publicUrl({ ORIGIN: 'https://inner.example' })).toBe('https://inner.example');
    expect(publicUrl({ ORIGIN: 'https://inner.example', BASE_PATH: '/a/b' })).toBe('https://inner.example/a/b');
    expect(publicUrl({ ORIGIN: 'https://inner.example', PUBLIC_URL: 'https://w.example/app/' })).toBe(
      'https://w.example/app',
    );
  });
});

describe('how long a sample stands', () => {
  it.each([
    ['*/1 * * * *', 180_000],
    ['*/5 * * * *', 900_000],
    ['*/7 * * * *', 3 * 240_000],
    ['*/45 * * * *', 3 * 900_000],
    ['*/10 * * * * *', 30_000],
    ['*/2 * * * * *', 30_000],
    // Nobody looks at night, and nobody knows of the night.
    ['0 9-17 * * 1-5', 3 * 3_600_000],
    ['0 3 * * *', 3 * 86_400_000],
  ])('is three sweeps: %s → %d ms', (HEALTH_CHECK_CRON, validMs) => {
    expect(parseSettings({ HEALTH_CHECK_CRON }).history.sampleValidMs).toBe(validMs);
  });
});

describe('how long history is kept', () => {
  const HOUR_MS = 3_600_000;
  it('is what the documentation says when nothing is set', () => {
    expect(parseSettings({}).history).toMatchObject({
      detailMs: 24 * HOUR_MS,
      tenMinutesMs: 7 * 24 * HOUR_MS,
      hourlyMs: 90 * 24 * HOUR_MS,
      dailyMs: 730 * 24 * HOUR_MS,
      incidentsMs: 730 * 24 * HOUR_MS,
      messagesMs: 90 * 24 * HOUR_MS,
      pruneCron: '17 * * * *',
    });
  });

  it('is never less than the pages look back, and every problem is told at once', () => {
    expect(
      problemsOf({
        HISTORY_DETAIL_HOURS: '1',
        HISTORY_10MIN_DAYS: '0',
        HISTORY_HOURLY_DAYS: '89',
        HISTORY_DAILY_DAYS: '89',
        HISTORY_INCIDENT_DAYS: 'ever',
        HISTORY_MESSAGE_DAYS: '0',
        HISTORY_PRUNE_CRON: 'hourly',
      }),
    ).toHaveLength(7);
  });
});
