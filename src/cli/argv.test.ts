import { expect, it } from 'vitest';
import { flagsLast } from './argv.ts';

it.each<[string, string]>([
  ['snapshot save f', 'snapshot save f'],
  ['snapshot save f --endpoints a', 'snapshot save f --endpoints a'],
  ['--endpoints a snapshot save f', 'snapshot save f --endpoints a'],
  ['--endpoints=a snapshot save f', 'snapshot save f --endpoints=a'],
  ['--cacert a --cert b --key c backup d', 'backup d --cacert a --cert b --key c'],
  ['--insecure-skip-tls-verify backup d', 'backup d --insecure-skip-tls-verify'],
  ['--insecure-transport=false --user u backup d', 'backup d --insecure-transport=false --user u'],
  [
    '--dial-timeout 1s --command-timeout 2s backup d',
    'backup d --dial-timeout 1s --command-timeout 2s',
  ],
  ['--output json --quiet backup d', 'backup d --output json --quiet'],
  ['--help', '--help'],
  ['--endpoints a --version', '--version --endpoints a'],
  ['-h', '-h'],
  // What lacks its value or its command is for the parser to refuse.
  ['--endpoints', '--endpoints'],
  ['--endpoints a', '--endpoints a'],
  ['', ''],
])('"%s" reads "%s"', (given, read) => {
  const words = (line: string): string[] => line.split(' ').filter((word) => word !== '');
  expect(flagsLast(words(given))).toEqual(words(read));
});
