// Why a drill does not end well, where that is no failure of the drill itself.

export class Shortfall extends Error {
  /** `bad`: etcd shows that something is wrong with the backup; `unproven`: the drill could not go all the way. */
  readonly result: 'bad' | 'unproven';

  /** @param reason a sentence without a full stop */
  constructor(result: 'bad' | 'unproven', reason: string) {
    super(reason);
    this.name = 'Shortfall';
    this.result = result;
  }
}
