import { describe, expect, it } from 'vitest';
import { CSV_HEAD, csvLines } from './incident-csv.ts';
import type { IncidentRow } from './incident-read.ts';

const ROW: IncidentRow = {
  id: 'incident-1',
  userId: 'user-1',
  vpsId: 'vps-1',
  openedAt: new Date('2026-11-24T14:00:00Z'),
  endedAt: new Date('2026-11-24T14:00:40.400Z'),
  cause: 'service_not_active',
  firstError: 'failed (exit-code)',
  endedBy: 'restart',
  failedChecks: 1,
  circuitOpenedAt: null,
  acknowledgedAt: null,
  acknowledgedBy: null,
  customer: 'Kestrel Foods',
  host: '192.0.2.1',
  port: 22,
  restarts: 1,
};

describe('incidents as CSV', () => {
  it('are a line each under a head, with the lines of RFC 4180', () => {
    expect(CSV_HEAD + csvLines([ROW])).toBe(
      'id,opened_at,ended_at,duration_s,ended_by,customer,vps_id,host,port,cause,first_error,failed_checks,restarts,circuit_opened_at,acknowledged_at,acknowledged_by\r\n' +
        'incident-1,2026-11-24T14:00:00.000Z,2026-11-24T14:00:40.400Z,40,restart,Kestrel Foods,vps-1,192.0.2.1,22,service_not_active,failed (exit-code),1,1,,,\r\n',
    );
  });

  it.each([
    ['=HYPERLINK("http://evil.example")', `"'=HYPERLINK(""http://evil.example"")"`],
    ['+1', "'+1"],
    ['-2+3', "'-2+3"],
    ['@SUM(A1)', "'@SUM(A1)"],
    ['\tx', "'\tx"],
    ['\rx', `"'\rx"`],
    ['two\nlines', '"two\nlines"'],
    ['a, b', '"a, b"'],
    ['say "hi"', '"say ""hi"""'],
    ['plain = text', 'plain = text'],
  ])('cannot bring a formula or break a line: %j is %j', (customer, cell) => {
    expect(csvLines([{ ...ROW, customer }])).toContain(`,restart,${cell},vps-1,`);
  });
});
