// Who we are, for --version, for records and for the screen.

import packageJson from '../../package.json' with { type: 'json' };

export const VERSION: string = packageJson.version;

/** Program and version, as records name it. */
export const TOOL = `etcdkeep ${VERSION}`;
