// The units in deploy/, read as systemd reads them as far as they go (systemd.syntax(7), systemd.service(5)).
import { readFileSync } from 'node:fs';

export const SERVICE = 'etcdkeep-backup.service';
export const TIMER = 'etcdkeep-backup.timer';

const DEPLOY = new URL('../../deploy/', import.meta.url);

/** The values of a key, in the order in which they stand. */
export type Unit = (key: string) => readonly string[];

export function unitText(name: string): string {
  return readFileSync(new URL(name, DEPLOY), 'utf8');
}

export function readUnit(name: string): Unit {
  const lines = [...unitText(name).matchAll(/^([A-Za-z]+)=(.*)$/gm)];
  return (key) => lines.filter(([, one]) => one === key).map(([, , value]) => value!);
}

/**
 * The command lines of the service, one after the other.
 * @param environmentFile what its EnvironmentFile says
 */
export function commandLines(
  service: Unit,
  environmentFile: Readonly<Record<string, string>> = {},
): string[][] {
  const environment: Record<string, string> = {};
  for (const one of service('Environment')) {
    const [, name, value] = /^(\w+)=(.*)$/.exec(one)!;
    environment[name!] = value!;
  }
  Object.assign(environment, environmentFile);
  const valueOf = (name: string): string => {
    const value = environment[name];
    if (value === undefined) throw new Error(`no ${name} is set`);
    return value;
  };
  return [...service('ExecStartPre'), ...service('ExecStart')].map((line) =>
    line.split(' ').flatMap((word) => {
      // A variable without braces that is a word by itself comes to as many words as it has.
      const alone = /^\$(\w+)$/.exec(word);
      if (alone !== null) return valueOf(alone[1]!).split(' ').filter(Boolean);
      return [word.replaceAll(/\$\{(\w+)\}/g, (_, name: string) => valueOf(name))];
    }),
  );
}
