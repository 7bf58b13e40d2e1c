// JSON with the escapes that Go's encoding/json writes, so that bytes are those of etcd (encode.go, SetEscapeHTML).

export function goJson(value: string | readonly string[]): string {
  return JSON.stringify(value).replaceAll(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
