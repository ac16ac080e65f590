import type { Settings } from '../config.ts';
import { count, exactDuration, withCommas } from '../facts/time-words.ts';

/** A setting in force: what it is, as it is, and the environment variable that sets it. */
export type Threshold = { readonly what: string; readonly value: string; readonly variable: string };

/** What decides about checks and restarts, in the order in which a check meets it. */
export const thresholdsOf = (settings: Settings): Threshold[] => [
  { what: 'Sweeps', value: settings.healthCheckCron, variable: 'HEALTH_CHECK_CRON' },
  { what: 'VPSs in a batch', value: String(settings.batchSize), variable: 'HEALTH_CHECK_BATCH_SIZE' },
  { what: 'Connections at the same time', value: String(settings.maxSockets), variable: 'SWEEP_MAX_SOCKETS' },
  { what: 'Links', value: settings.sshLink, variable: 'SSH_LINK' },
  { what: 'Connections kept at most', value: withCommas(settings.sshMaxLinks), variable: 'SSH_MAX_LINKS' },
  { what: 'Service, unless a VPS has its own', value: settings.monitoredService, variable: 'MONITORED_SERVICE' },
  { what: 'Time to connect', value: exactDuration(settings.connectTimeoutMs), variable: 'SSH_CONNECT_TIMEOUT_MS' },
  { what: 'Time for a command', value: exactDuration(settings.commandTimeoutMs), variable: 'SSH_COMMAND_TIMEOUT_MS' },
  { what: 'Time for a restart', value: exactDuration(settings.restartTimeoutMs), variable: 'RESTART_TIMEOUT_MS' },
  { what: 'Look again after a restart', value: exactDuration(settings.restartSettleMs), variable: 'RESTART_SETTLE_MS' },
  {
    what: 'The circuit opens after',
    value: count(settings.breaker.maxConsecutiveFailures, 'failure'),
    variable: 'CIRCUIT_MAX_CONSECUTIVE_FAILURES',
  },
  { what: 'Then one trial after', value: exactDuration(settings.breaker.cooldownMs), variable: 'CIRCUIT_COOLDOWN_MS' },
  {
    what: 'A crash loop begins with',
    value: count(settings.restartBudget.maxRestarts, 'restart'),
    variable: 'RESTART_BUDGET',
  },
  {
    what: 'Crash loop, counted over',
    value: exactDuration(settings.restartBudget.windowMs),
    variable: 'RESTART_BUDGET_WINDOW_MS',
  },
  {
    what: 'Restarts in one sweep',
    value: settings.maxRestartsPerSweep === null ? '5, or a tenth of the fleet' : String(settings.maxRestartsPerSweep),
    variable: 'MAX_RESTARTS_PER_SWEEP',
  },
  {
    what: 'The customer is told after',
    value: count(settings.downAfterChecks, 'failed check'),
    variable: 'NOTIFY_DOWN_AFTER_CHECKS',
  },
  { what: 'Grace after a missed payment', value: exactDuration(settings.gracePeriodMs), variable: 'GRACE_PERIOD_DAYS' },
];
