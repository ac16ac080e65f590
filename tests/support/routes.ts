import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { PROJECT_DIR } from './project.ts';

const ROUTES_DIR = join(PROJECT_DIR, 'src/routes');

/** The names of what a module exports, and of the properties where it is an object. */
function exportsOf(file: string): Map<string, readonly string[]> {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest);
  const found = new Map<string, readonly string[]>();
  for (const statement of source.statements) {
    const exported =
      ts.canHaveModifiers(statement) &&
      ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
    if (ts.isExportDeclaration(statement)) throw new Error(`${file} exports in a way that this test does not read`);
    if (!exported) continue;
    if (ts.isFunctionDeclaration(statement) && statement.name) found.set(statement.name.text, []);
    if (ts.isVariableStatement(statement))
      for (const { name, initializer } of statement.declarationList.declarations) {
        const isObject = initializer !== undefined && ts.isObjectLiteralExpression(initializer);
        if (name.getText(source) === 'actions' && !isObject)
          throw new Error(`${file} has actions that this test cannot read: write them as an object`);
        const properties = isObject ? initializer.properties : [];
        if (properties.some((property) => ts.isSpreadAssignment(property)))
          throw new Error(`${file} spreads something into ${name.getText(source)}: this test cannot read it`);
        found.set(
          name.getText(source),
          properties.map((property) => property.name?.getText(source).replaceAll(/['"]/g, '') ?? ''),
        );
      }
  }
  return found;
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'fallback'];

export const isPage = (route: string): boolean => existsSync(join(ROUTES_DIR, route, '+page.svelte'));

/** Everything that src/routes answers to, as `METHOD route` with `?/action` where there is one. */
export function discover(): string[] {
  const found: string[] = [];
  const files = readdirSync(ROUTES_DIR, { recursive: true, encoding: 'utf8' });
  for (const file of files) {
    const [, folder = '', name] = /^(?:(.*)\/)?(\+[a-z.]+)$/.exec(file) ?? [];
    const route = `/${folder}`;
    if (name === '+page.svelte') found.push(`GET ${route}`);
    if (name === '+page.server.ts')
      for (const action of exportsOf(join(ROUTES_DIR, file)).get('actions') ?? [])
        found.push(action === 'default' ? `POST ${route}` : `POST ${route}?/${action}`);
    if (name === '+server.ts')
      for (const method of exportsOf(join(ROUTES_DIR, file)).keys())
        if (METHODS.includes(method)) found.push(`${method} ${route}`);
    if (/\.remote\.(ts|js)$/.test(file)) found.push(`REMOTE /${file}`);
  }
  return found.toSorted();
}
