// What is said of an error code, and the three kinds that most of them are of.

/** What an error code means, wherever it is raised. */
export interface ErrorMeaning {
  /** Exit code of the command (docs/architecture.md, "Exit codes"). */
  readonly exit: 1 | 2 | 3 | 4 | 5 | 130 | 143;
  /** One plain sentence: when this happens. */
  readonly when: string;
  /** What to do next. An error raised with advice of its own overrides it. */
  readonly advice: string;
  /** Whether the same command can succeed later with nothing else changed. */
  readonly retryable: boolean;
}

export const failed = (when: string, advice: string, retryable = false): ErrorMeaning => ({
  exit: 1,
  when,
  advice,
  retryable,
});
export const usage = (when: string, advice: string): ErrorMeaning => ({
  exit: 2,
  when,
  advice,
  retryable: false,
});
export const refused = (when: string, advice: string): ErrorMeaning => ({
  exit: 3,
  when,
  advice,
  retryable: false,
});
