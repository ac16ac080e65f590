import { describe, expect, it } from 'vitest';
import { PeerLimits } from './peer-limits.ts';

const KIB = 1024;
const FREE = { writes: 0, busyMs: 0 };
const at = (nowMs: number) => ({ phase: 'channel', nowMs }) as const;

describe('while no channel is kept', () => {
  it('time changes nothing in what a command may cost', () => {
    const limits = new PeerLimits();
    limits.begin(FREE);
    expect(limits.onReceived(200 * KIB, FREE, at(0))).toBeNull();
    expect(limits.onReceived(100 * KIB, FREE, at(3_600_000))).toMatch(/more than 256 KiB/);
  });
});

describe('while a channel is kept', () => {
  const kept = (): PeerLimits => {
    const limits = new PeerLimits();
    limits.begin(FREE, 1_000);
    return limits;
  };

  it('a host may send so much a minute, and no more', () => {
    const limits = kept();
    for (let minute = 0; minute < 100; minute += 1)
      expect(limits.onReceived(256 * KIB, FREE, at(1_000 + minute * 60_000))).toBeNull();
    expect(limits.onReceived(1, FREE, at(1_000 + 100 * 60_000 - 1))).toMatch(/more than 256 KiB/);
  });

  it('it may cost so much a minute, and no more', () => {
    const limits = kept();
    for (let minute = 0; minute < 100; minute += 1)
      expect(
        limits.onReceived(1, { writes: minute * 2_000, busyMs: minute * 1_000 }, at(1_000 + minute * 60_000)),
      ).toBeNull();
    expect(limits.onReceived(1, { writes: 200_001, busyMs: 0 }, at(1_000 + 99 * 60_000))).toMatch(/one answer after/);
    expect(limits.onReceived(1, { writes: 0, busyMs: 100_001 }, at(1_000 + 99 * 60_000))).toMatch(/busy without end/);
  });

  it('it may exchange keys once a minute', () => {
    const limits = kept();
    expect(limits.onKeyExchange('channel')).toBeNull();
    limits.onReceived(1, FREE, at(61_000));
    expect(limits.onKeyExchange('channel')).toBeNull();
    expect(limits.onKeyExchange('channel')).toMatch(/again and again/);
  });

  it('what is sent to it begins anew, and so does a command beside it, which ends nothing of that', () => {
    const limits = kept();
    expect(limits.onReceived(256 * KIB, FREE, at(2_000))).toBeNull();
    limits.begin(FREE, 3_000);
    expect(limits.onReceived(256 * KIB, FREE, at(3_001))).toBeNull();
    limits.begin(FREE);
    expect(limits.onReceived(256 * KIB, FREE, at(3_002))).toBeNull();
    expect(limits.onReceived(256 * KIB, FREE, at(63_002))).toBeNull();
  });
});
