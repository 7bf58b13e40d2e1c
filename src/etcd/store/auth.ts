// The values of buckets `authUsers` and `authRoles`. Hashes of passwords are looked at and never handed out.
//   authpb.User   1 name, 2 password, 3 roles, 4 options {1 no_password}
//   authpb.Role   1 name, 2 keyPermission
// Source: etcd, server/storage/schema/auth_users.go, auth_roles.go, api/authpb/auth.proto.

import { MessageReader } from './message-reader.ts';

export interface AuthUser {
  readonly name: string;
  readonly roles: readonly string[];
  readonly hasPassword: boolean;
}

export interface AuthRole {
  readonly name: string;
  /** How many ranges of keys it may read or write. */
  readonly permissions: number;
}

/** The name of the user and of the role without which authentication cannot be turned on. */
export const ROOT = 'root';

/** @returns the user, or what is wrong, as a sentence without a subject */
export function parseUser(value: Uint8Array): AuthUser | string {
  const message = new MessageReader().open(value);
  let [name, hasPassword] = ['', false];
  const roles: string[] = [];
  while (message.next()) {
    if (message.field > 3) continue;
    if (message.isVarint) return 'is no user';
    if (message.field === 1) name = textOf(value, message);
    if (message.field === 2) hasPassword = message.end > message.start;
    if (message.field === 3) roles.push(textOf(value, message));
  }
  return message.isMalformed ? 'is no user' : { name, roles, hasPassword };
}

/** @returns the role, or what is wrong, as a sentence without a subject */
export function parseRole(value: Uint8Array): AuthRole | string {
  const message = new MessageReader().open(value);
  let [name, permissions] = ['', 0];
  while (message.next()) {
    if (message.field > 2) continue;
    if (message.isVarint) return 'is no role';
    if (message.field === 1) name = textOf(value, message);
    else permissions += 1;
  }
  return message.isMalformed ? 'is no role' : { name, permissions };
}

function textOf(bytes: Uint8Array, { start, end }: MessageReader): string {
  return Buffer.from(bytes.subarray(start, end)).toString();
}
