//! Modules that are small, or at least quickly written, and that would cost a compiler much time or
//! memory.

use wasm_encoder::{
    CodeSection, ComponentSectionId, ConstExpr, DataSection, ElementSection, Elements, ExportKind,
    ExportSection, Function, FunctionSection, Instruction, MemorySection, MemoryType, Module, RefType,
    TableSection, TableType, TypeSection, ValType,
};

/// A name, the bytes, and why it is refused before anything is compiled. None if the compiler gets
/// it.
pub(crate) struct Bomb {
    pub(crate) name: &'static str,
    pub(crate) make: fn() -> Vec<u8>,
    pub(crate) refused: Option<&'static str>,
}

pub(crate) const BOMBS: [Bomb; 19] = [
    Bomb {
        name: "instances that double 30 times",
        make: doubling,
        refused: Some("instances (each counted as often as it is made) than a detector may have: 1000"),
    },
    Bomb {
        name: "a component that is given to a component",
        make: given,
        refused: Some("makes an instance of a component that it does not hold itself"),
    },
    Bomb {
        name: "20,000 components in each other",
        make: || nested_components(20_000),
        refused: Some("levels of components in components than a detector may have: 32"),
    },
    Bomb {
        name: "100,000 types in each other",
        make: || nested_types(100_000),
        refused: Some("levels of types in types than a detector may have: 256"),
    },
    Bomb {
        name: "a million loops in each other",
        make: || one_function([], nested(Instruction::Loop(wasm_encoder::BlockType::Empty), 1_000_000)),
        refused: Some("bytes of one function than a detector may have: 2097152"),
    },
    Bomb {
        name: "100,000 loops in each other",
        make: || one_function([], nested(Instruction::Loop(wasm_encoder::BlockType::Empty), 100_000)),
        refused: Some("levels of blocks in blocks than a detector may have: 5000"),
    },
    Bomb {
        name: "50,000 variables",
        make: || one_function([(50_000, ValType::I64)], vec![]),
        refused: Some("variables of one function than a detector may have: 10000"),
    },
    Bomb {
        name: "10,000 live variables",
        make: || live_variables(10_000, 10_000),
        refused: Some("variables times blocks of one function than a detector may have: 20000000"),
    },
    Bomb {
        name: "a branch table of a million targets",
        make: branch_table,
        refused: Some("targets of the branch tables of one function than a detector may have: 100000"),
    },
    Bomb {
        name: "a million functions",
        make: || functions(1_000_000, &[]),
        refused: Some("functions than a detector may have: 200000"),
    },
    Bomb {
        name: "five million elements",
        make: elements,
        refused: Some("elements of tables than a detector may have: 200000"),
    },
    Bomb {
        name: "a table of ten million elements",
        make: table,
        refused: Some("elements of tables to begin with than a detector may have: 200000"),
    },
    Bomb {
        name: "a memory of 4 GiB",
        make: || memory(65_536),
        refused: Some("bytes of memory to begin with than a detector may have: 268435456"),
    },
    Bomb {
        name: "100,000 segments of data",
        make: segments,
        refused: Some("segments of elements and data than a detector may have: 50000"),
    },
    Bomb {
        name: "a million types",
        make: || types(1_000_000),
        refused: Some("types than a detector may have: 50000"),
    },
    Bomb {
        name: "exports with names of 20 kB",
        make: exports,
        refused: Some("bytes of imports and exports than a detector may have: 8388608"),
    },
    Bomb {
        name: "more than 64 MiB",
        make: || vec![0; (64 << 20) + 1],
        refused: Some("bytes than a detector may have: 67108864"),
    },
    // These are within all of the limits that are counted.
    Bomb { name: "60 MB of code", make: || functions(40_000, &work(200)), refused: None },
    Bomb { name: "2,000 live variables, 20 functions", make: || live_functions(20), refused: None },
];

/// A component of one section.
fn of_section(id: ComponentSectionId, data: &[u8]) -> Vec<u8> {
    let mut component = wasm_encoder::Component::new();
    component.section(&wasm_encoder::RawSection { id: id.into(), data });
    component.finish()
}

/// A component that holds this core module.
fn component(module: &[u8]) -> Vec<u8> {
    of_section(ComponentSectionId::CoreModule, module)
}

fn of_text(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

fn doubling() -> Vec<u8> {
    let mut text = "(component (component $c0 (core module $m) (core instance (instantiate $m)))".to_owned();
    for level in 1..=30 {
        let inner = level - 1;
        text += &format!(
            "(component $c{level} (instance (instantiate $c{inner})) (instance (instantiate $c{inner})))"
        );
    }
    of_text(&(text + "(instance (instantiate $c30)))"))
}

fn given() -> Vec<u8> {
    of_text(
        r#"(component
            (component $twice (import "c" (component $c)) (instance (instantiate $c)) (instance (instantiate $c)))
            (component $nothing)
            (instance (instantiate $twice (with "c" (component $nothing)))))"#,
    )
}

fn nested_components(levels: usize) -> Vec<u8> {
    let inner = wasm_encoder::Component::new().finish();
    (0..levels).fold(inner, |inner, _| of_section(ComponentSectionId::Component, &inner))
}

/// Each the only declaration of an instance type.
fn nested_types(levels: usize) -> Vec<u8> {
    let mut section = vec![1, 0x42];
    for _ in 0..levels {
        section.extend([1, 1, 0x42]);
    }
    section.push(0);
    of_section(ComponentSectionId::Type, &section)
}

fn nested(block: Instruction<'static>, levels: usize) -> Vec<Instruction<'static>> {
    let mut code = vec![block; levels];
    code.extend(vec![Instruction::End; levels]);
    code
}

/// The only type: no parameters and no result.
fn nothing() -> TypeSection {
    let mut types = TypeSection::new();
    types.ty().function([], []);
    types
}

fn module_of(functions: impl IntoIterator<Item = Function>) -> Vec<u8> {
    let (mut declared, mut code) = (FunctionSection::new(), CodeSection::new());
    for function in functions {
        declared.function(0);
        code.function(&function);
    }
    component(Module::new().section(&nothing()).section(&declared).section(&code).as_slice())
}

fn function(
    locals: impl IntoIterator<Item = (u32, ValType), IntoIter: ExactSizeIterator>,
    code: &[Instruction<'_>],
) -> Function {
    let mut function = Function::new(locals);
    for instruction in code.iter().chain([&Instruction::End]) {
        function.instruction(instruction);
    }
    function
}

#[allow(clippy::needless_pass_by_value, reason = "code that is made for the call reads better so")]
fn one_function<const N: usize>(locals: [(u32, ValType); N], code: Vec<Instruction<'static>>) -> Vec<u8> {
    module_of([function(locals, &code)])
}

/// This number of functions with the same code.
fn functions(count: usize, code: &[Instruction<'_>]) -> Vec<u8> {
    let one = function([(4, ValType::I64)], code);
    module_of(std::iter::repeat_n(one, count))
}

/// Sums that depend on each other.
fn work(sums: u32) -> Vec<Instruction<'static>> {
    let mut code = Vec::new();
    for sum in 0..sums {
        let [a, b] = [sum % 4, (sum + 1) % 4];
        code.extend([Instruction::LocalGet(a), Instruction::LocalGet(b)]);
        code.extend([Instruction::I64Mul, Instruction::LocalSet(b)]);
    }
    code
}

/// All variables are changed in a loop, and needed after each of the blocks in it.
fn alive(variables: u32, blocks: u32) -> Function {
    let mut code = vec![Instruction::Loop(wasm_encoder::BlockType::Empty)];
    for block in 0..blocks {
        let (one, other) = (block % variables, (block * 7 + 1) % variables);
        code.extend([
            Instruction::LocalGet(one),
            Instruction::I32WrapI64,
            Instruction::If(wasm_encoder::BlockType::Empty),
            Instruction::Call(0),
            Instruction::LocalGet(other),
            Instruction::I64Const(1),
            Instruction::I64Add,
            Instruction::LocalSet(one),
            Instruction::End,
        ]);
    }
    code.extend([Instruction::LocalGet(0), Instruction::I32WrapI64, Instruction::BrIf(0), Instruction::End]);
    function([(variables, ValType::I64)], &code)
}

fn live_variables(variables: u32, blocks: u32) -> Vec<u8> {
    module_of([alive(variables, blocks)])
}

fn live_functions(count: usize) -> Vec<u8> {
    module_of(std::iter::repeat_n(alive(2_000, 9_000), count))
}

fn branch_table() -> Vec<u8> {
    let targets = vec![0; 1_000_000];
    one_function([], vec![Instruction::I32Const(0), Instruction::BrTable(targets.into(), 0)])
}

fn elements() -> Vec<u8> {
    let indices = vec![0; 5_000_000];
    let (mut tables, mut segments) = (TableSection::new(), ElementSection::new());
    tables.table(TableType {
        element_type: RefType::FUNCREF,
        table64: false,
        minimum: 100,
        maximum: None,
        shared: false,
    });
    segments.active(None, &ConstExpr::i32_const(0), Elements::Functions(indices.into()));
    let (mut declared, mut code) = (FunctionSection::new(), CodeSection::new());
    declared.function(0);
    code.function(&function([], &[]));
    component(
        Module::new()
            .section(&nothing())
            .section(&declared)
            .section(&tables)
            .section(&segments)
            .section(&code)
            .as_slice(),
    )
}

fn table() -> Vec<u8> {
    of_text("(component (core module (table 10000000 funcref)))")
}

fn memory(pages: u64) -> Vec<u8> {
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: pages,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    component(Module::new().section(&memories).as_slice())
}

fn segments() -> Vec<u8> {
    let (mut memories, mut data) = (MemorySection::new(), DataSection::new());
    memories.memory(MemoryType {
        minimum: 1,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    for _ in 0..100_000 {
        data.active(0, &ConstExpr::i32_const(0), [1]);
    }
    component(Module::new().section(&memories).section(&data).as_slice())
}

fn types(count: usize) -> Vec<u8> {
    let mut types = TypeSection::new();
    for _ in 0..count {
        types.ty().function([], []);
    }
    component(Module::new().section(&types).as_slice())
}

fn exports() -> Vec<u8> {
    let mut names = ExportSection::new();
    for number in 0..1_000 {
        names.export(&format!("{number:020000}"), ExportKind::Func, 0);
    }
    let (mut declared, mut code) = (FunctionSection::new(), CodeSection::new());
    declared.function(0);
    code.function(&function([], &[]));
    component(Module::new().section(&nothing()).section(&declared).section(&names).section(&code).as_slice())
}
