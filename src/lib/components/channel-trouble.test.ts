import { render } from 'svelte/server';
import { describe, expect, it } from 'vitest';
import type { Trouble } from '../notifications/rules/delivery-trouble.ts';
import ChannelForm from './ChannelForm.svelte';
import ChannelTests from './ChannelTests.svelte';

const AT = new Date('2026-11-24T14:03Z');
const FAILING: Trouble = {
  ...{ since: AT, failures: 3, refusals: 0, reason: 'connection refused', toldAt: null, switchedOffAt: null },
};
const OFF: Trouble = { ...FAILING, failures: 0, refusals: 3, reason: 'status 404', switchedOffAt: AT };
const OFF_WORDS =
  'Switched off on 24 November 2026, 14:03 UTC, as it refuses what is sent: status 404. When that is mended, turn it on again.';

describe('the trouble with a way to send', () => {
  it('stands on the page of preferences', () => {
    const choice = {
      channel: 'webhook' as const,
      enabled: false,
      kinds: null,
      address: 'https://hook.example',
      pendingAddress: null,
      hasSecret: true,
      offered: ['down' as const],
      problem: null,
      addressHint: '',
      hasBot: false,
    };
    const html = (trouble: Trouble | null): string =>
      render(ChannelForm, {
        props: { choice: { ...choice, trouble }, email: 'ada@customer.example', problems: {}, typed: null },
      }).body;
    expect(html(OFF)).toContain(OFF_WORDS);
    expect(html(null)).not.toContain('Switched off');
  });

  it('stands on the settings page, of a channel and of each target', () => {
    const channel = { name: 'email', lacks: null, users: null, waiting: 3, failed: 0, test: null } as const;
    const targets = [{ ...OFF, email: 'ada@customer.example' }];
    const html = render(ChannelTests, {
      props: {
        channels: [{ ...channel, trouble: FAILING, targets }],
        failed: [],
        email: 'root@admin.example',
        now: AT,
      },
    }).body;
    expect(html).toContain(
      'Nothing has got through since 24 November 2026, 14:03 UTC: connection refused. What waits is tried again.',
    );
    expect(html).toContain('ada@customer.example:');
    expect(html).toContain(OFF_WORDS);
    expect(html).not.toContain('Ready to send');
  });
});
