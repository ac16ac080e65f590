import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { takeTurn } from './turns.ts';

const busyFor = (ms: number): void => {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
};

it('work for peers is done in the order asked for, and leaves the event loop to others after some of it', async () => {
  const done: number[] = [];
  for (let index = 0; index < 40; index += 1)
    takeTurn(() => {
      busyFor(3);
      done.push(index);
    });
  let before = 0;
  while (done.length < 40) {
    // A piece that has begun is ended: three of them are more than the eight milliseconds.
    expect(done.length - before).toBeLessThanOrEqual(3);
    before = done.length;
    await nextTurn();
  }
  expect(done).toEqual(Array.from({ length: 40 }, (_, index) => index));
});

it('work that is asked for by such work has its turn, too', async () => {
  const done = Promise.withResolvers<undefined>();
  takeTurn(() => takeTurn(() => done.resolve(undefined)));
  await done.promise;
});
