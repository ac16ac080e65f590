import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAdmin, post } from './support/accounts.ts';
import { endWith, scratchEnvironment, startServer } from './support/project.ts';

describe('a server that strangers flood', () => {
  const scratch = scratchEnvironment({ ENABLE_HEALTH_MONITOR: 'false' });
  let server: Awaited<ReturnType<typeof startServer>>;
  beforeAll(async () => {
    await createAdmin(scratch.environment);
    server = await startServer(scratch.environment);
  });
  afterAll(async () => {
    await endWith(server, 'SIGKILL');
    scratch.remove();
  });

  it('hashes a few passwords at a time, and tells the others when to come again', async () => {
    const guesses = Array.from({ length: 50 }, (_, index) =>
      post(`${server.url}/sign-in`, { email: `${index}@example.test`, password: 'not the password' }),
    );
    const answers = await Promise.all(guesses);
    const refused = answers.filter(({ status }) => status === 503);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([400, 503]));
    for (const answer of refused) expect(answer.headers.get('retry-after')).toBe('5');
    // What was typed is still there.
    const page = (await refused[0]?.text()) ?? '';
    expect(page).toContain('Try again in 5 s');
    expect(page).toMatch(/value="\d+@example\.test"/);
  });

  it('has more threads for name look-ups than libuv makes by itself', () => {
    // The sign-ins above have started them. Node itself has about ten others.
    expect(readdirSync(`/proc/${server.process.pid}/task`).length).toBeGreaterThan(32);
  });
});
