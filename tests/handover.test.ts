import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { endWith, PROJECT_DIR, runNode, scratchEnvironment, startProcess } from './support/project.ts';
import { copyProject } from './support/project-copy.ts';

const scratch = scratchEnvironment();
const [starts, preload] = [join(scratch.folder, 'starts'), join(scratch.folder, 'old-node.cjs')];
let project: string;
let ownNode: string;

beforeAll(async () => {
  project = copyProject(scratch.folder, { server: false });
  const packages = join(project, 'node_modules');
  rmSync(packages);
  mkdirSync(join(packages, '.bin'), { recursive: true });
  for (const name of readdirSync(join(PROJECT_DIR, 'node_modules')))
    if (name !== '.bin') symlinkSync(join(PROJECT_DIR, 'node_modules', name), join(packages, name));
  ownNode = join(packages, '.bin/node');
  // What is built is not to be counted below.
  expect(
    (await runNode(['cli/wardround.js', 'keygen'], { environment: scratch.environment, folder: project })).exitCode,
  ).toBe(0);
});
beforeEach(() => {
  rmSync(ownNode, { force: true });
  writeFileSync(starts, '');
});
afterAll(() => scratch.remove());

/** An environment in which the first so many starts of Node take themselves for one that is too old. */
function withOldNodes(howMany: number): Record<string, string> {
  writeFileSync(
    preload,
    `const { appendFileSync, readFileSync } = require('node:fs');
     appendFileSync(${JSON.stringify(starts)}, process.argv.slice(2).join(' ') + '\\n');
     if (readFileSync(${JSON.stringify(starts)}, 'utf8').split('\\n').length - 1 <= ${howMany})
       Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.20.2' } });`,
  );
  return { ...scratch.environment, NODE_OPTIONS: `--require ${preload}` };
}
const startedWith = (): string[] => readFileSync(starts, 'utf8').trimEnd().split('\n');
/** Another file than the Node of this test, which it starts. */
const bringNode = (): void => writeFileSync(ownNode, `#!/bin/sh\nexec ${process.execPath} "$@"\n`, { mode: 0o755 });
const wardround = (oldNodes: number, input: string, ...args: string[]) =>
  runNode(['cli/wardround.js', ...args], { environment: withOldNodes(oldNodes), folder: project, input });

describe('a Node that is too old', () => {
  it('hands over to the Node that the project brings: arguments, input, output and exit code', async () => {
    bringNode();
    const password = 'correct horse battery staple';
    const create = ['admin', 'create', '--email', 'anna@example.test', '--password-stdin', '--json'];
    const created = await wardround(1, password, ...create);
    expect(created).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('anna@example.test') });
    expect(startedWith()).toEqual([create.join(' '), create.join(' ')]);
    writeFileSync(starts, '');
    expect(await wardround(1, password, ...create)).toMatchObject({ exitCode: 1, stdout: '' });
    expect(startedWith()).toHaveLength(2);
  });

  it('hands over once only, also when that Node is too old as well', async () => {
    bringNode();
    const { exitCode, stdout, stderr } = await wardround(Infinity, '', 'keygen');
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr).toMatch(/^wardround needs Node\.js 22\.18 or newer; this is v[\d.]+ \(.*"npm ci"/);
    expect(startedWith()).toEqual(['keygen', 'keygen']);
  });

  it.each([
    ['is this one under another name', () => symlinkSync(process.execPath, ownNode)],
    ['is not there', () => undefined],
  ])('does not hand over when the Node that the project brings %s', async (_, makeNode) => {
    makeNode();
    const { exitCode, stderr } = await wardround(Infinity, '', 'keygen');
    expect(exitCode).toBe(1);
    expect(stderr).toContain('wardround needs Node.js 22.18 or newer');
    expect(startedWith()).toEqual(['keygen']);
  });

  it('passes a SIGTERM on, and ends when the other one has ended', async () => {
    bringNode();
    await wardround(0, '', 'healing', 'off');
    writeFileSync(starts, '');
    const child = startProcess(process.execPath, ['cli/wardround.js', 'events', '--follow'], withOldNodes(1), project);
    await child.line(/healing/i);
    expect(startedWith()).toHaveLength(2);
    expect(await endWith(child, 'SIGTERM')).toBe(0);
  });
});
