/**
 * A rule that forbids whatever one of its selectors finds (https://eslint.org/docs/latest/extend/selectors). Each wall
 * has a name of its own, so that two of them may hold for one file, and the finding tells which it was.
 * @param {string} message
 * @param {...string} selectors
 * @returns {import('eslint').Rule.RuleModule}
 */
const wall = (message, ...selectors) => ({
  meta: { type: 'problem', schema: [] },
  create: (context) =>
    Object.fromEntries(
      selectors.map((selector) => [
        selector,
        /** @param {import('eslint').Rule.Node} node */
        (node) => context.report({ node, message }),
      ]),
    ),
});

/** `Date` where it makes or reads an instant that is given to it, or stands for the type. */
const HARMLESS_DATE = [
  'TSTypeReference > Identifier',
  'NewExpression[arguments.length>0] > .callee',
  'MemberExpression[computed=false][property.name=/^(UTC|parse)$/] > .object',
  'BinaryExpression[operator="instanceof"] > .right',
];
/** @param {readonly string[]} harmless */
const dateUnless = (harmless) => `Identifier[name="Date"]${harmless.map((where) => `:not(${where})`).join('')}`;
const FORMAT_NOW = 'CallExpression[callee.property.name=/^format(ToParts)?$/][arguments.length=0]';

const WRITES = 'CallExpression[callee.property.name=/^(insert|update|delete)$/]';
const GLOBAL_SYMBOL = 'MemberExpression[object.name="Symbol"][property.name="for"]';
const STATE_IN_SQL = '/\\b(insert|update|delete|replace)\\b[^]*\\bhealth_checks\\b/i';

/** The walls that can be seen in one file alone. Those between files are in `.dependency-cruiser.js`. */
export default {
  rules: {
    clock: wall('this module is pure: time is an argument', dateUnless(HARMLESS_DATE), FORMAT_NOW),
    'clock-but-by-default': wall(
      'this module is pure: time is an argument, which defaults to now',
      dateUnless([...HARMLESS_DATE, 'AssignmentPattern > CallExpression.right > MemberExpression.callee > .object']),
      FORMAT_NOW,
    ),
    'time-zone': wall(
      'this module is pure: the zone and the language of the machine are its environment; name them',
      'MemberExpression[property.name=/^[gs]et(FullYear|Month|Date|Day|Hours|Minutes|Seconds|Milliseconds|TimezoneOffset)$/]',
      'MemberExpression[property.name=/^to(Date|Time)String$/]',
      'CallExpression[callee.property.name=/^toLocale/][arguments.length=0]',
      'CallExpression[callee.property.name=/^toLocale(Date|Time)String$/]:not(:has(Property[key.name="timeZone"]))',
      'MemberExpression[property.name="resolvedOptions"]',
      'NewExpression[callee.name="Date"][arguments.length>1]',
      ':matches(NewExpression, CallExpression)[callee.property.name="DateTimeFormat"]:not(:has(Property[key.name="timeZone"]))',
    ),
    chance: wall(
      'this module is pure: chance is an argument',
      'Identifier[name="Math"]:not(MemberExpression[computed=false][property.name!="random"] > .object)',
    ),
    'loading-code': wall('this module is pure: it loads nothing while it runs', 'ImportExpression', 'MetaProperty'),
    memory: wall(
      'this module is pure: it remembers nothing from call to call',
      ':matches(Program, ExportNamedDeclaration) > VariableDeclaration[kind=/^(let|var)$/]',
      ':matches(Program, ExportNamedDeclaration) > VariableDeclaration > VariableDeclarator > NewExpression[callee.name=/^(Weak)?(Map|Set)$/][arguments.length=0]',
    ),
    'health-state': wall(
      'only monitoring/health-store.ts writes health state: add a function there',
      `${WRITES} > Identifier.arguments[name="healthChecks"]`,
      `${WRITES} > MemberExpression.arguments[property.name="healthChecks"]`,
      `:matches(TemplateElement[value.raw=${STATE_IN_SQL}], Literal[value=${STATE_IN_SQL}])`,
      // Under another name the table would not be recognised.
      'ImportSpecifier[imported.name="healthChecks"][local.name!="healthChecks"]',
      'VariableDeclarator > Identifier.init[name="healthChecks"]',
    ),
    'views-read': wall(
      'views read: what writes is a command, in fleet-admin/',
      'CallExpression[callee.property.name=/^(insert|update)$/]',
      'CallExpression[callee.name="write"]',
    ),
    'one-owner': wall(
      'what must outlive a hot reload is a part of the app: partOf(…) in app.ts',
      GLOBAL_SYMBOL,
      'Identifier[name="globalThis"]',
      'MemberExpression > Identifier.object[name="global"]',
    ),
    'one-symbol': wall(
      'one symbol is enough: what must outlive a hot reload is a part of the app, by partOf(…)',
      `VariableDeclaration:has(${GLOBAL_SYMBOL}) ~ VariableDeclaration:has(${GLOBAL_SYMBOL})`,
    ),
    'no-barrel': wall(
      'import from where it is: a re-export keeps a second path alive',
      'ExportAllDeclaration',
      'ExportNamedDeclaration[source]',
    ),
    'svelte-types': wall(
      'share a type through a .ts file: .dependency-cruiser.js does not see what types a component imports',
      'ImportDeclaration[importKind="type"][source.value=/\\.svelte$/]',
    ),
    'no-drawer': wall('a file is named after its trade, so that people know what belongs in it', 'Program'),
  },
};
