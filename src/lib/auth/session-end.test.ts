import { eq } from 'drizzle-orm';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { addUser, openAccountApp, openSession } from '../../../tests/support/account-app.ts';
import { sessions } from '../db/schema.ts';
import { endOtherSessions } from './session.ts';
import { watchSession } from './session-end.ts';
import { signOut } from './sign-in.ts';

const ANNA = 'anna@example.test';
afterEach(() => vi.useRealTimers());

describe('what stays open longer than a request', () => {
  it('ends at once with its session, and with no other', async () => {
    const { app } = await openAccountApp();
    await addUser(app, ANNA);
    await addUser(app, 'bert@example.test');
    const [here, there, bert] = [
      await openSession(app, ANNA),
      await openSession(app, ANNA),
      await openSession(app, 'bert@example.test'),
    ];
    const ended: string[] = [];
    watchSession(app, here.signedIn.session, () => ended.push('here'));
    watchSession(app, there.signedIn.session, () => ended.push('there'));
    watchSession(app, bert.signedIn.session, () => ended.push('bert'));
    await endOtherSessions(app, here.signedIn);
    expect(ended).toEqual(['there']);
    await signOut(app, here.asking, here.signedIn);
    await signOut(app, bert.asking, bert.signedIn);
    expect(ended).toEqual(['there', 'here', 'bert']);
  });

  it('ends within five seconds when another process ended the session', async () => {
    const { app } = await openAccountApp();
    await addUser(app, ANNA);
    const { signedIn } = await openSession(app, ANNA);
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const onEnd = vi.fn();
    watchSession(app, signedIn.session, onEnd);
    vi.advanceTimersByTime(5_000);
    expect(onEnd).not.toHaveBeenCalled();
    app.db.delete(sessions).where(eq(sessions.id, signedIn.session.id)).run();
    vi.advanceTimersByTime(5_000);
    expect(onEnd).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(60_000);
    expect(onEnd).toHaveBeenCalledTimes(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is left in peace when nobody watches any more', async () => {
    const { app } = await openAccountApp();
    await addUser(app, ANNA);
    const { signedIn, asking } = await openSession(app, ANNA);
    const onEnd = vi.fn();
    watchSession(app, signedIn.session, onEnd)();
    await signOut(app, asking, signedIn);
    expect(onEnd).not.toHaveBeenCalled();
  });
});
