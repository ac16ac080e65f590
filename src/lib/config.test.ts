import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { describe, expect, it } from 'vitest';
import { ConfigurationError, DEFAULTS, parseSettings, type Environment } from './config.ts';

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
});
