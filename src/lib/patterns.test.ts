import { globSync, readFileSync } from 'node:fs';
import ts from 'typescript';
import { beforeAll, describe, expect, it } from 'vitest';

// The one that comes as plain JavaScript: the others are programs of their own.
process.env.RECHECK_BACKEND = 'pure';
const { checkSync } = await import('recheck');

type Pattern = { readonly where: string; readonly source: string; readonly flags: string };

/** Every pattern of the server, and every place where one is put together while it runs. */
function readPatterns(): { readonly literal: Pattern[]; readonly built: string[] } {
  const literal = new Map<string, Pattern>();
  const built: string[] = [];
  const files = globSync('src/**/*.ts', { exclude: (name) => name.endsWith('.test.ts') });
  for (const file of files) {
    const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest);
    const visit = (node: ts.Node): void => {
      if (ts.isRegularExpressionLiteral(node)) {
        const end = node.text.lastIndexOf('/');
        const [pattern, flags] = [node.text.slice(1, end), node.text.slice(end + 1)];
        literal.set(node.text, { where: file, source: pattern, flags });
      } else if (
        (ts.isNewExpression(node) || ts.isCallExpression(node)) &&
        node.expression.getText(source) === 'RegExp'
      )
        built.push(file);
      ts.forEachChild(node, visit);
    };
    visit(source);
  }
  return { literal: [...literal.values()], built };
}

/** Counted, and not timed: a busy machine must not change the verdict. */
const JUDGED_BY_STEPS = { attackTimeout: null, incubationTimeout: null, seedingTimeout: null, timeout: 240_000 };

/** Whether its time grows faster than the text it is given. */
const isSlow = ({ source, flags }: Omit<Pattern, 'where'>): boolean => {
  const { status } = checkSync(source, flags, JUDGED_BY_STEPS);
  if (status === 'unknown') throw new Error(`nobody knows how long /${source}/${flags} takes`);
  return status === 'vulnerable';
};

describe('no pattern', () => {
  let patterns: ReturnType<typeof readPatterns>;
  beforeAll(() => {
    patterns = readPatterns();
  });

  it('backtracks over what it is given: much of that comes from strangers', { timeout: 300_000 }, () => {
    expect(patterns.literal.length).toBeGreaterThan(40);
    const slow = patterns.literal.filter(isSlow).map(({ where, source }) => `${where}: /${source}/`);
    expect(slow).toEqual([]);
  });

  it('is put together while the program runs, where nobody could tell', () => {
    expect(patterns.built).toEqual([]);
  });

  it.each(['^F.*: U.* n$', '^(a+)+$', 'a.*b.*c', '=+$'])(
    'like /%s/ would get through',
    { timeout: 120_000 },
    (source) => {
      expect(isSlow({ source, flags: 'm' })).toBe(true);
    },
  );
});
