// Lint rules, and the order of the house: a folder imports only from itself and from folders listed
// above it in docs/architecture.md. FOLDERS repeats that listing; nothing else knows it.
import tseslint from 'typescript-eslint';

export const FOLDERS = [
  'base',
  'bbolt',
  'etcd/store',
  'etcd/datadir',
  'etcd/client',
  'kubernetes',
  'controlplane',
  'record',
  'repository',
  'history',
  'backup',
  'cli',
  'console',
  'operator',
];

/** The front ends never import one another, whatever their order. */
const FRONT_ENDS = ['cli', 'console', 'operator'];

const folderOrder = FOLDERS.map((folder, index) => {
  const isFrontEnd = FRONT_ENDS.includes(folder);
  const forbidden = FOLDERS.filter(
    (other, at) => at > index || (isFrontEnd && other !== folder && FRONT_ENDS.includes(other)),
  );
  const patterns = forbidden.map((other) => ({
    // Any relative path that ends in the other folder: "../cli/x.ts", "../../etcd/client/x.ts",
    // and "../client/x.ts" from a sibling below etcd/.
    regex: `^\\.\\./(.*/)?(${[other, other.replace(/^etcd\//, '')].join('|')})/`,
    message: `src/${folder} may not import src/${other}: see the order in docs/architecture.md.`,
  }));
  return {
    files: [`src/${folder}/**/*.ts`],
    rules: { 'no-restricted-imports': ['error', { patterns }] },
  };
});

export default tseslint.config(
  { ignores: ['node_modules/**', 'src/**/gen/**', 'eslint.config.js'] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      // Numbers, booleans and bigints print as everyone expects.
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      // Array and buffer indexes are checked by bounds, not by undefined.
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      eqeqeq: 'error',
      'no-console': 'error',
      'max-lines': ['error', { max: 350, skipBlankLines: true }],
      'max-lines-per-function': ['error', { max: 70, skipBlankLines: true, skipComments: true }],
    },
  },
  {
    files: ['test/**/*.ts', 'src/**/*.test.ts', 'bench/**/*.ts', 'scripts/**/*.ts'],
    rules: { 'max-lines-per-function': 'off', 'no-console': 'off' },
  },
  ...folderOrder,
);
