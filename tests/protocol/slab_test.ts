import { assert, assertEquals, assertNotStrictEquals, assertStrictEquals } from "@std/assert";
import { freshSlab, type Slab, SLAB_SIZE, slabFor } from "../../src/protocol/slab.ts";

/** Marks a part of the slab as used. */
function setAside(slab: Slab, length: number): void {
  slab.used += length;
  slab.parts++;
}

Deno.test("slab: parts of the shared slab follow each other until there is no room", () => {
  setAside(slabFor(SLAB_SIZE), SLAB_SIZE);
  const slab = slabFor(10);
  setAside(slab, 10);
  assertStrictEquals(slabFor(SLAB_SIZE - 10), slab);
  const next = slabFor(SLAB_SIZE - 9);
  assertNotStrictEquals(next, slab);
  assertEquals([next.used, next.parts], [0, 0]);
});

Deno.test("slab: releasing the last part frees the whole slab", () => {
  setAside(slabFor(SLAB_SIZE), SLAB_SIZE);
  const slab = slabFor(100);
  setAside(slab, 100);
  setAside(slab, 200);
  slab.release();
  assertEquals([slab.used, slab.parts], [300, 1]);
  slab.release();
  assertEquals([slab.used, slab.parts], [0, 0]);
  assertStrictEquals(slabFor(SLAB_SIZE), slab);
});

Deno.test("slab: a free slab is reused; at most a megabyte of them is kept", () => {
  const slabs = new Set<Slab>();
  for (let i = 0; i < 40; i++) {
    const slab = freshSlab();
    setAside(slab, 1);
    slabs.add(slab);
  }
  assertEquals(slabs.size, 40);
  for (const slab of slabs) slab.release();
  const again = Array.from({ length: 17 }, () => freshSlab());
  assert(again.slice(0, 16).every((slab) => slabs.has(slab)));
  assert(!slabs.has(again[16] as Slab));
});
