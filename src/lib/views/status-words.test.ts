import { describe, expect, it } from 'vitest';
import { PUBLIC_WORDS, publicStateOf, renderBadge, type PublicState } from './status-words.ts';

const NOW = new Date(Date.UTC(2026, 0, 1, 12));
const row = {
  active: true,
  notReadyWhy: null,
  maintenanceSince: null,
  status: 'healthy',
  reachable: true,
  knownUntil: NOW,
  lastErrorCode: null,
} as const;

describe('what everybody may know of a VPS', () => {
  it.each<[Parameters<typeof publicStateOf>[0], PublicState]>([
    [row, 'running'],
    [{ ...row, status: 'unhealthy' }, 'trouble'],
    [{ ...row, status: 'down' }, 'down'],
    [{ ...row, status: 'circuit_open' }, 'down'],
    [{ ...row, status: 'circuit_open', reachable: false, lastErrorCode: 'timeout' }, 'down'],
    [{ ...row, status: 'down', lastErrorCode: 'host_key_changed' }, 'unknown'],
    [{ ...row, status: 'circuit_open', lastErrorCode: 'sudo_refused' }, 'unknown'],
    [{ ...row, status: null, knownUntil: null }, 'unknown'],
    [{ ...row, knownUntil: new Date(NOW.getTime() - 1) }, 'unknown'],
    [{ ...row, status: 'down', maintenanceSince: NOW }, 'maintenance'],
    [{ ...row, active: false }, 'unknown'],
  ])('of %o is %s', (vps, state) => {
    expect(publicStateOf(vps, NOW)).toBe(state);
  });
});

describe('the badge', () => {
  it('says the same as text, and lets no title break out of it', () => {
    const badge = renderBadge('<script>alert(1)</script> & "co"', 'running');
    expect(badge).toContain('<title>&lt;script&gt;alert(1)&lt;/script&gt; &amp;');
    expect(badge).not.toContain('<script>');
    expect(renderBadge(null, 'down')).toContain('aria-label="service: down"');
  });

  it('cuts a long title between two characters', () => {
    const badge = renderBadge('🇳🇴'.repeat(60), 'running');
    expect(badge).toMatch(/<title>(🇳🇴)+…: /u);
  });

  it('has white text on a colour with enough contrast', () => {
    const light = (channel: number): number =>
      channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
    for (const { colour } of Object.values(PUBLIC_WORDS)) {
      const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => light(parseInt(colour.slice(at, at + 2), 16) / 255));
      expect(1.05 / (0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05)).toBeGreaterThan(4.5);
    }
  });
});
