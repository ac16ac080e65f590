import { describe, expect, it } from 'vitest';
import type { Machine } from '../demo/machine.ts';
import { healthEvents, restartEvidence } from '../src/lib/db/schema.ts';
import { LINK_KINDS, type LinkKind } from '../src/lib/facts/link.ts';
import { LOCAL_OPERATOR } from '../src/lib/auth/actor.ts';
import { describeEvent } from '../src/lib/views/journal-words.ts';
import { linksOf } from '../src/lib/monitoring/links.ts';
import { setHealing } from '../src/lib/monitoring/monitor-state.ts';
import { openLinkedWard, type LinkedWard } from './support/linked-ward.ts';
import { ledgerOf, letTimePass, setMaintenance } from './support/scratch-app.ts';

const MINUTE_MS = 60_000;

type Case = {
  readonly machine?: Partial<Machine>;
  readonly environment?: Record<string, string>;
  /** What happens after a first healthy sweep. */
  readonly happens: (ward: LinkedWard) => unknown;
  readonly sweeps?: number;
  readonly state: object;
  /** How often the service was started in all: once before anything has happened. */
  readonly starts: number;
  readonly ledger: readonly (string | null)[];
  readonly journal?: string;
};

const stops = ({ vps: { machine } }: LinkedWard): void => {
  machine.unit = 'inactive';
};
const fails = ({ vps: { machine } }: LinkedWard): void => {
  machine.restart = 'fails';
  machine.unit = 'failed';
};

/** The contract, whatever the link. News is not followed here: a sweep finds it all. */
const CASES: Readonly<Record<string, Case>> = {
  'a healthy service is left alone': {
    happens: () => undefined,
    state: { status: 'healthy', totalChecks: 2, totalFailures: 0, reachable: true, lastError: null },
    starts: 1,
    ledger: [],
  },
  'a stopped service is restarted and recovers': {
    happens: stops,
    state: { status: 'healthy', consecutiveFailures: 0, totalFailures: 1, totalRecoveries: 1, lastError: null },
    starts: 2,
    ledger: ['succeeded'],
    journal: 'check failed: service not active: inactive, stopped without an error, as by hand',
  },
  'a restart that fails is a failure': {
    happens: fails,
    state: { status: 'unhealthy', consecutiveFailures: 1, lastErrorCode: 'restart_failed' },
    starts: 2,
    ledger: ['failed'],
  },
  'three of them open the circuit, and nothing is sent then': {
    happens: fails,
    sweeps: 5,
    state: { status: 'circuit_open', circuitState: 'open', consecutiveFailures: 5, circuitReason: 'failures' },
    starts: 4,
    ledger: ['failed', 'failed', 'failed'],
  },
  'a service that dies right after its restart is a failure': {
    happens: ({ vps: { machine } }) => {
      machine.restart = { diesAfterMs: 0 };
      machine.unit = 'failed';
    },
    state: { status: 'unhealthy', consecutiveFailures: 1, lastErrorCode: 'restart_failed' },
    starts: 2,
    ledger: ['failed'],
  },
  'a start under way is waited for': {
    happens: ({ vps: { machine } }) => {
      machine.unit = 'activating';
    },
    sweeps: 2,
    state: { status: 'unhealthy', consecutiveFailures: 0, lastErrorCode: 'service_starting' },
    starts: 1,
    ledger: [],
  },
  'maintenance allows no restart': {
    happens: async (ward) => {
      await setMaintenance(ward.app, ward.vps, true);
      stops(ward);
    },
    state: { status: 'healthy', consecutiveFailures: 0 },
    starts: 1,
    ledger: [],
  },
  'healing that is off allows none either': {
    happens: async (ward) => {
      await setHealing(ward.app.db, LOCAL_OPERATOR, 'off');
      stops(ward);
    },
    state: { status: 'unhealthy', consecutiveFailures: 0 },
    starts: 1,
    ledger: [],
  },
  'a budget that is spent opens the circuit': {
    environment: { RESTART_BUDGET: '1' },
    happens: async (ward) => {
      stops(ward);
      await ward.sweep();
      letTimePass(ward.app, 2 * MINUTE_MS);
      stops(ward);
    },
    state: { status: 'circuit_open', circuitReason: 'crash_loop' },
    starts: 2,
    ledger: ['succeeded'],
  },
  'a host that hangs is unreachable': {
    environment: { SSH_CONNECT_TIMEOUT_MS: '300', SSH_COMMAND_TIMEOUT_MS: '300' },
    happens: ({ vps: { machine } }) => {
      machine.network = 'hangs';
    },
    state: { status: 'down', reachable: false, consecutiveFailures: 1, lastErrorCode: 'timeout' },
    starts: 1,
    ledger: [],
  },
};

describe.for(LINK_KINDS)('over a link of the kind %s', (kind: LinkKind) => {
  it.for(Object.entries(CASES))(
    '%s',
    async ([, { machine = {}, environment = {}, happens, sweeps = 1, ...expected }]) => {
      const ward = await openLinkedWard({ kind, machines: [machine], environment });
      linksOf(ward.app).keep(() => undefined);
      await ward.sweep();
      expect(ward.vps.state()).toMatchObject({ status: 'healthy', linkKind: kind });
      await happens(ward);
      for (let round = 0; round < sweeps; round++) await ward.sweep();
      expect(ward.vps.state()).toMatchObject(expected.state);
      expect(ward.vps.machine.starts).toBe(expected.starts);
      expect(ledgerOf(ward.app, ward.vps.userId).map(({ outcome }) => outcome)).toEqual(expected.ledger);
      if (expected.journal !== undefined)
        expect(
          ward.app.db
            .select()
            .from(healthEvents)
            .all()
            .map(({ kind, detail }) => describeEvent(kind, detail)),
        ).toContain(expected.journal);
      expect(ward.app.db.select().from(restartEvidence).all()).toHaveLength(expected.ledger.length);
    },
  );
});
